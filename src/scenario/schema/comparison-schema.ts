import * as z from "zod";
import type { BitRun, Comparison } from "../expectation.ts";
import { DURATION_PATTERN, hasSizeSuffix, parseDuration, parseSize } from "../quantity.ts";
import type { BlockRange } from "../scenario.ts";
import { expecting, refuse } from "./refusal.ts";

type ParseOperand = (text: string | number) => number | undefined;

const compare = (expected: string, parse: ParseOperand, about: string) =>
  z
    .union([z.number(), z.string()], { error: expecting(expected) })
    .transform((value, context): Comparison => {
      const comparison = readComparison(value, parse);
      if (comparison !== undefined) return comparison;
      refuse(context, value, expected);
      return z.NEVER;
    })
    .meta({ description: about });

const readComparison = (value: string | number, parse: ParseOperand): Comparison | undefined => {
  const written = String(value).trim();
  const make = (operator: Comparison["operator"], low: number | undefined, high = low) =>
    low === undefined || high === undefined
      ? undefined
      : { operator, value: low, high, inBytes: hasSizeSuffix(written), text: written };
  if (typeof value === "number") return make("=", parse(value));
  const span = /^([^.]+)\.\.([^.]+)$/.exec(written);
  if (span !== null) return make("in", parse(span[1]!.trim()), parse(span[2]!.trim()));
  const match = /^(<=|>=|!=|==|=|<|>)?\s*(.+)$/s.exec(written);
  if (match === null) return undefined;
  const operator = match[1] === undefined || match[1] === "==" ? "=" : match[1];
  return make(operator as Comparison["operator"], parse(match[2]!));
};

/** Compares a number that may be an amount of memory. */
export const amount = (about: string) =>
  compare("a number or a test such as 0, '>= 3900M' or '1M..4M'", parseSize, about);

/** Compares how far a number went up or down. */
export const amountOfChange = (about: string) =>
  compare("a change or a test such as 0, +1024, '-6M' or '>= 0'", parseSigned, about);

const parseSigned = (operand: string | number): number | undefined => {
  if (typeof operand === "number") return Number.isSafeInteger(operand) ? operand : undefined;
  const size = parseSize(operand.replace(/^[+-]\s*/, ""));
  return size === undefined || !operand.startsWith("-") ? size : -size;
};

/** Compares a count of things. */
export const count = (about: string) =>
  compare("a count or a test such as 12, '<= 40' or '1..4'", (text) => wholeNumber(text), about);

const wholeNumber = (operand: string | number): number | undefined => {
  const number = typeof operand === "number" ? operand : /^\d{1,15}$/.test(operand) ? Number(operand) : -1;
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
};

/** Compares virtual time. */
export const duration = (about: string) =>
  compare("a duration or a test such as '< 15s' or '50ms..2s'", parseDuration, about);

/** A span of virtual time, not a test. */
export const timeSpan = (about: string) =>
  z
    .union([z.number(), z.string().meta({ pattern: DURATION_PATTERN })], {
      error: expecting("a duration such as 50s or 300ms"),
    })
    .transform((value, context): number => {
      const ns = parseDuration(value);
      if (ns !== undefined) return ns;
      refuse(context, value, "a duration such as 50s or 300ms", "use ns, us, ms, s, m or h");
      return z.NEVER;
    })
    .meta({ description: about });

const readSpan = (value: string | number, most: number): BlockRange | undefined => {
  const match = /^\s*(\d{1,12})\s*(?:-\s*(\d{1,12}))?\s*$/.exec(String(value));
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last && last <= most ? { first, last } : undefined;
};

const LAST_BLOCK = 2 ** 25;

/** Memory blocks: a number, or "a-b" with both ends included. */
export const blocks = z
  .union([z.number(), z.string()], { error: expecting("a memory block such as 48 or '48-63'") })
  .transform((value, context): BlockRange => {
    const range = readSpan(value, LAST_BLOCK);
    if (range !== undefined) return range;
    refuse(context, value, "a memory block such as 48 or '48-63'", "the lower number first");
    return z.NEVER;
  })
  .meta({ description: "Memory blocks by number: 48, or '48-63' with both ends" });

const LAST_BIT = 2 ** 40;

/** Set bits: "0-1023, 1026", or "none". */
export const bitRuns = (about: string) =>
  z
    .union([z.number(), z.string()], { error: expecting("bits such as '0-1023, 1026' or none") })
    .transform((value, context): BitRun[] => {
      const runs = readBits(String(value));
      if (runs !== undefined) return runs;
      refuse(context, value, "bits such as '0-1023, 1026' or none", "ascending, without overlap");
      return z.NEVER;
    })
    .meta({ description: about });

const readBits = (written: string): BitRun[] | undefined => {
  if (written.trim() === "none") return [];
  const runs: BitRun[] = [];
  let next = 0;
  for (const part of written.split(",")) {
    const span = readSpan(part, LAST_BIT);
    if (span === undefined || span.first < next) return undefined;
    const last = runs.at(-1);
    if (last !== undefined && span.first === next) {
      runs[runs.length - 1] = { first: last.first, count: span.last - last.first + 1 };
    } else runs.push({ first: span.first, count: span.last - span.first + 1 });
    next = span.last + 1;
  }
  return runs;
};
