import { word } from "../word.ts";

/**
 * RCX of TDG.VP.VMCALL: which registers the host sees and may change. Bits 0, 1 and 4 (RAX, RCX, RSP) and
 * 63:32 must be zero, and bit 5 (RBP) too in a TD with NO_RBP_MOD.
 *
 * @source TDX module ABI, TDG.VP.VMCALL
 */
export const TDVMCALL_CONTROL = word({ gprMask: [15, 0], xmmMask: [31, 16] });

/** The mask that Linux exposes: RDX, RBX, RSI, RDI and R8 to R15. */
export const LINUX_GPR_MASK = 0xffcc;

/**
 * R11 of a TDVMCALL with R10 = 0.
 *
 * @source Intel Guest-Hypervisor Communication Interface, as used by Linux and KVM
 */
export const TDVMCALL = {
  "Instruction.CPUID": 10,
  "Instruction.HLT": 12,
  "Instruction.IO": 30,
  "Instruction.RDMSR": 31,
  "Instruction.WRMSR": 32,
  "#VE.RequestMMIO": 48,
  "Instruction.WBINVD": 54,
  "Instruction.PCONFIG": 65,
  GetTdVmCallInfo: 0x10000,
  MapGPA: 0x10001,
  GetQuote: 0x10002,
  ReportFatalError: 0x10003,
  SetupEventNotifyInterrupt: 0x10004,
  Service: 0x10005,
} as const;
export type TdvmcallName = keyof typeof TDVMCALL;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(TDVMCALL).map(([name, number]) => [number, name]),
);
/** The sub-function's name; an unknown number prints as `TDVMCALL 0x63`. */
export const tdvmcallName = (subFunction: number): string =>
  NAMES.get(subFunction) ?? `TDVMCALL 0x${subFunction.toString(16)}`;

/**
 * R10 when the host returns.
 *
 * @source Intel Guest-Hypervisor Communication Interface
 */
export const TDVMCALL_STATUS = {
  SUCCESS: 0n,
  RETRY: 1n,
  INVALID_OPERAND: 0x8000_0000_0000_0000n,
  GPA_INUSE: 0x8000_0000_0000_0001n,
  ALIGN_ERROR: 0x8000_0000_0000_0002n,
  SUBFUNC_UNSUPPORTED: 0x8000_0000_0000_0003n,
} as const;
export type TdvmcallStatus = keyof typeof TDVMCALL_STATUS;

/** Sub-functions of GetQuote carry this status word in the shared buffer while the quote is being made. */
export const GET_QUOTE_IN_FLIGHT = 0xffff_ffff_ffff_ffffn;

/** Bytes that KVM converts at a time before it looks for a pending event and answers RETRY. */
export const MAP_GPA_CHUNK_BYTES = 2 * 1024 * 1024;

/** Registers that hold the 64-byte message of ReportFatalError, in order, by encoding number. */
export const FATAL_MESSAGE_REGISTERS = [14, 15, 3, 7, 6, 8, 9, 2] as const;
