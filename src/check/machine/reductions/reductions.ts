/** What of the states of a machine a search need not meet. */
export interface Reductions {
  /** Of states that differ only in the names of users who do the same, one is enough. */
  readonly symmetry: boolean;
  /** Steps that nobody else can tell of are taken at once. */
  readonly partialOrder: boolean;
  /** With partial order: so are steps on what nobody else will come to while they are not taken. One thread, no checkpoint. Left out: no. */
  readonly disjoint?: boolean | undefined;
}

/** What a search takes for interchangeable, and what it tells apart whoever asks: a place is above one and below another (docs/decisions/0012). */
export const sorted = ({ symmetry }: Reductions) => ({
  interchangeable: symmetry ? ["vCPUs whose users do the same"] : [],
  toldApart: ["units of memory", "DIMM slots", ...(symmetry ? [] : ["vCPUs"])],
});

export const NO_REDUCTIONS: Reductions = { symmetry: false, partialOrder: false };
/** What costs little, on any number of threads. */
export const ALL_REDUCTIONS: Reductions = { symmetry: true, partialOrder: true };
/** The fewest states. */
export const FEWEST_STATES: Reductions = { symmetry: true, partialOrder: true, disjoint: true };
