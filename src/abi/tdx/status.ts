import { assert } from "../../assert.ts";
import { OPERAND_ID, OPERAND_NAMES, type OperandName } from "./operand-id.ts";
import { hi, lo, RAX, type Regs } from "./regs.ts";
import { STATUS_CODES, type StatusName } from "./status-codes.ts";
import { TDMR_DETAILS } from "./tdmr-status.ts";

export { OPERAND_ID, type OperandName } from "./operand-id.ts";
export { STATUS_CODES, type StatusName } from "./status-codes.ts";

declare const packed: unique symbol;
/**
 * What a TDCALL or SEAMCALL left in RAX, packed into one number below 2^53: bits 63:60 of the word times
 * 2^48, bits 47:32 times 2^32, bits 31:0. The reserved bits 59:48 are left out. SUCCESS is 0.
 */
export type Status = number & { readonly [packed]: "TDX status" };

/** Details bits 31:0 as a number, or an operand by name. */
export type Details = number | OperandName;

const MIDDLE = 2 ** 32;
const TOP = 2 ** 48;

const pack = (code: number, details: number): Status =>
  ((code >>> 28) * TOP + (code & 0xffff) * MIDDLE + details) as Status;

/** The status of that name; `details` goes to bits 31:0 (an operand's name, a level, another small number). */
export const status = (name: StatusName, details: Details = 0): Status => {
  const low = typeof details === "number" ? details : OPERAND_ID[details];
  assert(Number.isInteger(low) && 0 <= low && low < MIDDLE, () => `details ${details} fit 32 bits`);
  return pack(STATUS_CODES[name], low);
};

export const SUCCESS: Status = status("SUCCESS");

/** Bits 31:0. */
export const statusDetails = (s: Status): number => s % MIDDLE;
/** Bits 63:32 as the hardware has them, which is what callers compare. */
export const statusCode = (s: Status): number => {
  const upper = Math.floor(s / MIDDLE);
  return ((upper >>> 16) * 2 ** 28 + (upper & 0xffff)) >>> 0;
};
/** The status without its details, so that `withoutDetails(s) === status("OPERAND_BUSY")` asks for the kind. */
export const withoutDetails = (s: Status): Status => (s - (s % MIDDLE)) as Status;
/** The same kind with other details. */
export const withDetails = (s: Status, details: number): Status => (s - (s % MIDDLE) + details) as Status;

/** The 64-bit word. */
export const statusWord = (s: Status): bigint => (BigInt(statusCode(s)) << 32n) | BigInt(statusDetails(s));

/** The status in a 64-bit word, or undefined if one of the reserved bits 59:48 is set. */
export const statusFromWord = (raw: bigint): Status | undefined => {
  if ((raw & 0x0fff_0000_0000_0000n) !== 0n) return undefined;
  return pack(Number(raw >> 32n), Number(raw & 0xffff_ffffn));
};

/** Writes the status to RAX. */
export const statusToRegs = (s: Status, regs: Regs): void => {
  if (s === 0) {
    regs[2 * RAX] = 0;
    regs[2 * RAX + 1] = 0;
    return;
  }
  regs[2 * RAX] = s % MIDDLE;
  regs[2 * RAX + 1] = statusCode(s);
};

/** The status in RAX, or undefined if a reserved bit is set. */
export const statusFromRegs = (regs: Regs): Status | undefined => {
  const code = hi(regs, RAX);
  return (code & 0x0fff_0000) === 0 ? pack(code, lo(regs, RAX)) : undefined;
};

/** Bit 63: the call did not do what it was asked. */
export const isError = (s: Status): boolean => s >= 8 * TOP;
/** Bit 62: the same call, repeated unchanged, cannot succeed. */
export const isNonRecoverable = (s: Status): boolean => (Math.floor(s / TOP) & 4) !== 0;
/** An error after which the same call may succeed later: busy locks, interruptions. */
export const isRecoverable = (s: Status): boolean => isError(s) && !isNonRecoverable(s);
/** Bit 61: the vCPU or the TD is lost. */
export const isFatal = (s: Status): boolean => (Math.floor(s / TOP) & 2) !== 0;
/** Bit 60: the host may be able to remove the cause. */
export const isHostRecoverable = (s: Status): boolean => (Math.floor(s / TOP) & 1) !== 0;

const NAME_BY_CODE = new Map<number, StatusName>(
  (Object.entries(STATUS_CODES) as [StatusName, number][]).map(([name, code]) => [code, name]),
);
/** Kinds whose details are not an operand id. */
const LEVEL_DETAILS: ReadonlySet<StatusName> = new Set(["PAGE_ALREADY_ACCEPTED", "PAGE_SIZE_MISMATCH"]);
const NUMBER_DETAILS: ReadonlySet<StatusName> = new Set([
  "OP_STATE_INCORRECT",
  "VCPU_STATE_INCORRECT",
  "X2APIC_ID_NOT_UNIQUE",
  "PAMT_PAGE_NOT_EMPTY",
]);

/** The name without details; a code that is in no table prints as its 16 hex digits. */
export const statusName = (s: Status): string =>
  NAME_BY_CODE.get(statusCode(s)) ?? `0x${statusWord(s).toString(16).padStart(16, "0")}`;

/** The name with its details as a reader wants them: `OPERAND_INVALID(RCX)`, `PAGE_SIZE_MISMATCH(level 1)`. */
export const statusText = (s: Status): string => (s === 0 ? "SUCCESS" : detailedText(s));

const detailedText = (s: Status): string => {
  const name = NAME_BY_CODE.get(statusCode(s));
  const details = statusDetails(s);
  if (name === undefined) return statusName(s);
  if (LEVEL_DETAILS.has(name)) return `${name}(level ${details})`;
  const ofTdmr = TDMR_DETAILS.get(name);
  if (ofTdmr !== undefined) return `${name}(${ofTdmr(details)})`;
  if (NUMBER_DETAILS.has(name)) return `${name}(${details})`;
  const takesOperand = /^(OPERAND_|PAGE_|EPT_|GPA_RANGE_|TLB_|MISSING_|HPA_|NO_PAMT)/.test(name);
  if (details === 0 && !takesOperand) return name;
  return `${name}(${OPERAND_NAMES.get(details) ?? details})`;
};
