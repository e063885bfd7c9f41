import type { StatusName } from "./status-codes.ts";

const SIZE_NAMES = ["4K", "2M", "1G"];
const byte = (details: number, index: number): number => (details >>> (8 * index)) & 0xff;
const tdmr = (details: number): string => `TDMR ${byte(details, 0)}`;
const table = (details: number): string => {
  const size = byte(details, 1);
  return `${tdmr(details)}, ${SIZE_NAMES[size] ?? `size ${size}`}`;
};
const area = (details: number): string => `${tdmr(details)}, area ${byte(details, 1)}`;

/**
 * How the refusals of TDH.SYS.CONFIG pack what they blame into bits 31:0: byte 0 the TDMR, byte 1 the metadata table's size
 * class or the reserved area, byte 2 the TDMR that it collides with.
 *
 * @source TDX module 1.5.25, TDH.SYS.CONFIG
 */
export const TDMR_DETAILS: ReadonlyMap<StatusName, (details: number) => string> = new Map([
  ["INVALID_TDMR", tdmr],
  ["NON_ORDERED_TDMR", tdmr],
  ["TDMR_OUTSIDE_CMRS", tdmr],
  ["INVALID_PAMT", table],
  ["PAMT_OUTSIDE_CMRS", table],
  ["PAMT_OVERLAP", (details) => `${table(details)}, TDMR ${byte(details, 2)}`],
  ["INVALID_RESERVED_IN_TDMR", area],
  ["NON_ORDERED_RESERVED_IN_TDMR", area],
]);

const BLAME = /^TDMR (\d{1,3})(?:, (?:(4K|2M|1G)|area (\d{1,3})))?(?:, TDMR (\d{1,3}))?$/;

/** The details that such a text means, `TDMR 1, 2M, TDMR 0`; undefined if it means none. */
export const tdmrDetailsOf = (text: string): number | undefined => {
  const match = BLAME.exec(text);
  if (match === null) return undefined;
  const [, blamed, size, areaNumber, other] = match;
  const middle = size === undefined ? Number(areaNumber ?? 0) : SIZE_NAMES.indexOf(size);
  const bytes = [Number(blamed), middle, Number(other ?? 0)];
  return bytes.every((value) => value < 256) ? bytes[0]! + 256 * bytes[1]! + 65536 * bytes[2]! : undefined;
};
