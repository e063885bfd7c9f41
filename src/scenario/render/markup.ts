/** Text that is already markup. Everything else put into `html` is escaped. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const ENTITIES: { readonly [char: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as it may stand in an element or in a quoted attribute. Control characters become a mark. */
export const escapeText = (text: string): string =>
  text.replace(/[^\P{Cc}\n\t]/gu, "\uFFFD").replace(/[&<>"']/g, (char) => ENTITIES[char]!);

type Value = Markup | string | number | readonly Value[];

const write = (value: Value): string => {
  if (value instanceof Markup) return value.text;
  if (typeof value === "string") return escapeText(value);
  if (typeof value === "number") return String(value);
  return value.map(write).join("");
};

/** Builds markup: literal parts are markup, values are escaped unless they are markup themselves. */
export const html = (parts: TemplateStringsArray, ...values: readonly Value[]): Markup =>
  new Markup(parts.reduce((text, part, i) => `${text}${write(values[i - 1] ?? "")}${part}`));

/** A coordinate with at most two decimals. */
export const px = (value: number): string => String(Number(value.toFixed(2)));
