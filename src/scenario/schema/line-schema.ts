import * as z from "zod";
import { refuse } from "./refusal.ts";
import { text } from "./scalar-schema.ts";

/** A line that must be in a text, or must not. */
export const line = (about: string) =>
  z
    .strictObject({
      contains: text("Text that one line must contain", 1000).optional(),
      matches: text("Regular expression that one line must match", 1000).optional(),
      absent: text("Text that no line may contain", 1000).optional(),
    })
    .transform((value, context) => {
      const given = Object.entries(value).filter(([, wanted]) => wanted !== undefined);
      const [mode, wanted] = given[0] ?? [];
      if (given.length !== 1 || mode === undefined || wanted === undefined) {
        refuse(context, value, "exactly one of `contains`, `matches` and `absent`");
        return z.NEVER;
      }
      if (mode === "matches" && !isRegExp(wanted)) {
        refuse(context, wanted, "a regular expression");
        return z.NEVER;
      }
      return { mode: mode as "contains" | "matches" | "absent", text: wanted };
    })
    .meta({ description: about });

const isRegExp = (source: string): boolean => {
  try {
    new RegExp(source, "u");
    return true;
  } catch {
    return false;
  }
};
