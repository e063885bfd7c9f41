import type { Range } from "../facts.ts";

const SUFFIXES = ["K", "M", "G", "T", "P"] as const;

/** An address as the kernel prints it with %#llx. */
export const addressText = (address: number): string => `0x${address.toString(16)}`;

/** A range with both ends included, as the kernel prints ranges. */
export const rangeText = ({ start, end }: Range): string =>
  end > start ? `${addressText(start)}-${addressText(end - 1)}` : `${addressText(start)} (empty)`;

/** Bytes in the largest unit that divides them, or with three digits. */
export const sizeText = (bytes: number): string => {
  if (bytes < 1024) return `${bytes}`;
  // What rounds up to the next unit is given in that.
  const power = Math.min(SUFFIXES.length, Math.floor(Math.log2(bytes * (1 + 2 ** -11)) / 10));
  const amount = bytes / 1024 ** power;
  const shown = Number.isInteger(amount) ? `${amount}` : amount.toPrecision(amount >= 1000 ? 4 : 3);
  return `${Number(shown)}${SUFFIXES[power - 1]}`;
};

/** The first few of many, for a sentence. */
export const listText = (items: readonly string[], most = 4): string =>
  items.length <= most
    ? items.join(", ")
    : `${items.slice(0, most).join(", ")} and ${items.length - most} more`;

export const rangesText = (ranges: readonly Range[], most = 4): string =>
  listText(ranges.map(rangeText), most);
