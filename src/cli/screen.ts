import type { Screen } from "../scenario/render/paint.ts";
import type { Output, System } from "./system.ts";

const NARROWEST = 20;
const DEFAULT_WIDTH = 80;

/** True if the locale's character set is UTF-8, by the rules of setlocale(3). */
const hasUtf8 = ({ LC_ALL, LC_CTYPE, LANG }: System["env"]): boolean =>
  /utf-?8/i.test([LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== "") ?? "");

/** How `output` shows things. Colours only on a terminal, and not if NO_COLOR asks for none. */
export const screenOf = (output: Output, { env }: System): Screen => {
  const { NO_COLOR = "", TERM, COLUMNS = "" } = env;
  const columns = output.columns ?? (/^\d{1,4}$/.test(COLUMNS) ? Number(COLUMNS) : DEFAULT_WIDTH);
  return {
    width: Math.max(NARROWEST, columns),
    colour: output.isTerminal && NO_COLOR === "" && TERM !== "dumb",
    unicode: hasUtf8(env),
    isTerminal: output.isTerminal,
  };
};
