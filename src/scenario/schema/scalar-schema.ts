import * as z from "zod";
import { formatSize, parseSize, SIZE_PATTERN } from "../quantity.ts";
import { expecting, expectingName, refuse } from "./refusal.ts";

/** Text and numbers are kept apart from sizes in editors by this pattern. */
const sizeText = z.string().meta({ pattern: SIZE_PATTERN });

interface SizeRule {
  readonly multipleOf?: number;
  readonly least?: number;
}

/** Bytes: a number, or text such as 512M. Addresses too; `about` goes to the JSON Schema. */
export const size = (about: string, { multipleOf = 1, least = 0 }: SizeRule = {}) =>
  z
    .union([z.number(), sizeText], { error: expecting("a size such as 512M, 4G or 0x100000000") })
    .transform((value, context): number => {
      const bytes = parseSize(value);
      if (bytes === undefined) {
        refuse(context, value, "a size such as 512M, 4G or 0x100000000", "up to 4P, in whole bytes");
        return z.NEVER;
      }
      if (bytes < least) {
        refuse(context, value, `at least ${formatSize(least)}`);
        return z.NEVER;
      }
      if (bytes % multipleOf !== 0) {
        refuse(context, value, `a multiple of ${formatSize(multipleOf)}`, neighbours(bytes, multipleOf));
        return z.NEVER;
      }
      return bytes;
    })
    .meta({ description: about });

const neighbours = (bytes: number, grain: number): string => {
  const below = bytes - (bytes % grain);
  return `nearest are ${formatSize(below)} and ${formatSize(below + grain)}`;
};

export const PAGE = 4096;
export const UNIT = 2 ** 21;

export const address = (about: string, multipleOf = 1) => size(about, { multipleOf });

/** A whole number in a small range. */
export const whole = (about: string, least: number, most: number) =>
  z
    .int({ error: expecting(`a whole number from ${least} to ${most}`) })
    .min(least, { error: expecting(`a whole number from ${least} to ${most}`) })
    .max(most, { error: expecting(`a whole number from ${least} to ${most}`) })
    .meta({ description: about });

const ID = /^[A-Za-z][A-Za-z0-9_.-]{0,31}$/;

/** A name the scenario gives to something, as QEMU takes an id. */
export const id = (about: string) =>
  z
    .string({ error: expecting("a name such as vm0") })
    .regex(ID, {
      error: expecting("a name such as vm0", "use letters, digits, `-`, `_` and `.`, a letter first"),
    })
    .meta({ description: about });

export const oneOf = <const T extends readonly string[]>(about: string, values: T) =>
  z.enum(values).meta({ description: about });

export const flag = (about: string) => z.boolean().meta({ description: about });

export const text = (about: string, longest = 4000) => z.string().max(longest).meta({ description: about });

const INVARIANT_COUNT = 44;
const INVARIANTS = Array.from({ length: INVARIANT_COUNT }, (_, i) => `I${i + 1}`);

/** An invariant by its number. */
export const invariant = z
  .string({ error: expecting("an invariant, I1 to I44") })
  .refine((name) => INVARIANTS.includes(name), {
    error: expectingName("an invariant, I1 to I44", INVARIANTS),
  })
  .meta({ description: "Number of an invariant, I1 to I44" });

/** A value or a list of values. */
export const oneOrMore = <T extends z.ZodType>(schema: T) =>
  z
    .union([schema, z.array(schema)], { error: expecting("a value or a list of values") })
    .transform((value): z.output<T>[] => (Array.isArray(value) ? value : [value as z.output<T>]));
