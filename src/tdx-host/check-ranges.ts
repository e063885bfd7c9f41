import { MAX_CMRS } from "../abi/tdx/tdmr-info.ts";
import { PAGE_SIZE } from "../units.ts";
import { HostInputError } from "./host-input-error.ts";
import { type ByteRange, hexAddress } from "./memory-range.ts";

/** A range and where it was read, for messages: `host.log:12`, or the path of a field. */
export interface ReadRange extends ByteRange {
  readonly where: string;
}

/** Widest physical address that any CPU has, in bits. */
const MAX_ADDRESS = 2 ** 52;

const text = ({ start, end }: ByteRange): string => `[${hexAddress(start)}, ${hexAddress(end)})`;

const checkRange = (kind: string, range: ReadRange, previous: ReadRange | undefined): void => {
  const refuse = (expected: string): never => {
    throw new HostInputError(range.where, kind, expected, text(range));
  };
  if (range.start % PAGE_SIZE !== 0 || range.end % PAGE_SIZE !== 0) refuse("bounds at multiples of 4 KiB");
  if (range.end <= range.start) refuse("an end above the start");
  if (range.end > MAX_ADDRESS) refuse(`an end of at most ${hexAddress(MAX_ADDRESS)}`);
  if (previous === undefined || previous.end <= range.start) return;
  const other = `${text(previous)} of ${previous.where}`;
  refuse(range.start < previous.start ? `a start behind ${other}` : `no overlap with ${other}`);
};

/**
 * Refuses a list of convertible memory that contradicts itself: more than 32 ranges, bounds that are no pages, an end before its
 * start, or ranges that overlap or do not ascend.
 *
 * @throws HostInputError for the first contradiction
 */
export const checkCmrs = (cmrs: readonly ReadRange[]): void => {
  const tooMany = cmrs[MAX_CMRS];
  cmrs.slice(0, MAX_CMRS).forEach((cmr, i) => {
    checkRange("convertible memory range", cmr, cmrs[i - 1]);
  });
  if (tooMany !== undefined) {
    throw new HostInputError(
      tooMany.where,
      "convertible memory ranges",
      `at most ${MAX_CMRS}`,
      text(tooMany),
    );
  }
};

/** Refuses memory that overlaps or does not ascend. @throws HostInputError for the first contradiction */
export const checkMemory = (memory: readonly ReadRange[]): void => {
  memory.forEach((range, i) => {
    checkRange("memory range", range, memory[i - 1]);
  });
};

/** Refuses memory that is to come later where there is memory already. @throws HostInputError for the first such range */
export const checkApart = (later: readonly ReadRange[], memory: readonly ByteRange[]): void => {
  for (const range of later) {
    const there = memory.find(({ start, end }) => start < range.end && range.start < end);
    if (there === undefined) continue;
    throw new HostInputError(
      range.where,
      "memory that comes later",
      `no overlap with RAM ${text(there)}`,
      text(range),
    );
  }
};
