// One row of what is said of a design.

export const claim = (design, by, text, scenario, shown, set = []) => ({
  design,
  by,
  claim: text,
  scenario,
  set,
  shown,
});

export const YES = "reproduced";
export const NO = "contradicted";
