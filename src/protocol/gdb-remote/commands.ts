import { assert } from "../../assert.ts";
import { hexOf } from "./hex-text.ts";
import { ALL_THREADS, type ThreadId, threadIdText } from "./thread-id.ts";

/** Kinds of the `Z` and `z` packets. @source GDB manual, Packets, `z type,addr,kind` */
export const BREAK_TYPE = { software: 0, hardware: 1, write: 2, read: 3, access: 4 } as const;
export type BreakType = keyof typeof BREAK_TYPE;
export const BREAKPOINT_KINDS = ["software", "hardware"] as const;
export type BreakpointKind = (typeof BREAKPOINT_KINDS)[number];
export const WATCHPOINT_KINDS = ["write", "read", "access"] as const;
export type WatchpointKind = (typeof WATCHPOINT_KINDS)[number];

/** An address of the guest: virtual, or physical in QEMU's physical mode. */
export type Address = number | bigint;

const hexAddress = (address: Address): string => {
  const sound = typeof address === "bigint" ? address < 1n << 64n : Number.isSafeInteger(address);
  assert(sound && address >= 0, () => `${address} is an address`);
  return address.toString(16);
};

const hexCount = (count: number): string => {
  assert(Number.isSafeInteger(count) && count >= 0, () => `${count} is a count`);
  return count.toString(16);
};

const breakOperands = (type: BreakType, address: Address, length: number): string =>
  `${BREAK_TYPE[type]},${hexAddress(address)},${hexCount(length)}`;

const threadText = (thread: ThreadId | typeof ALL_THREADS): string =>
  thread === ALL_THREADS ? "-1" : threadIdText(thread);

/** What a vCPU does in a `vCont` packet. Those that no action names stay stopped. */
export interface VContAction {
  readonly action: "continue" | "step";
  /** Left out: every thread that no earlier action names. */
  readonly thread?: ThreadId;
}

/**
 * Payloads of the requests. Numbers are hexadecimal; memory and registers are pairs of digits in the order of the
 * guest's bytes.
 *
 * @source GDB manual, Remote Protocol, Packets; QEMU 7.2 gdbstub.c for what it answers
 * @missing `X` (QEMU 7.2 does not have it), `?` (it drops every break- and watchpoint of QEMU), `T`, `qC`, reverse
 *   execution (QEMU aborts on it outside replay mode)
 */
export const gdbCommand = {
  supported: (features: readonly string[]): string =>
    features.length === 0 ? "qSupported" : `qSupported:${features.join(";")}`,
  readFeatures: (annex: string, offset: number, length: number): string =>
    `qXfer:features:read:${annex}:${hexCount(offset)},${hexCount(length)}`,

  readRegisters: (): string => "g",
  writeRegisters: (block: Uint8Array): string => `G${hexOf(block)}`,
  readRegister: (register: number): string => `p${hexCount(register)}`,
  writeRegister: (register: number, value: Uint8Array): string => `P${hexCount(register)}=${hexOf(value)}`,

  readMemory: (address: Address, length: number): string => `m${hexAddress(address)},${hexCount(length)}`,
  writeMemory: (address: Address, bytes: Uint8Array): string =>
    `M${hexAddress(address)},${hexCount(bytes.length)}:${hexOf(bytes)}`,
  /** QEMU's own: whether `m` and `M` take guest-physical addresses. */
  physicalMemory: (physical: boolean): string => `Qqemu.PhyMemMode:${physical ? 1 : 0}`,
  isPhysicalMemory: (): string => "qqemu.PhyMemMode",

  insert: (type: BreakType, address: Address, length: number): string =>
    `Z${breakOperands(type, address, length)}`,
  remove: (type: BreakType, address: Address, length: number): string =>
    `z${breakOperands(type, address, length)}`,

  resume: (): string => "c",
  step: (): string => "s",
  vCont: (actions: readonly VContAction[]): string => {
    assert(actions.length > 0, "vCont names an action");
    const texts = actions.map(({ action, thread }) => {
      const letter = action === "continue" ? "c" : "s";
      return thread === undefined ? letter : `${letter}:${threadIdText(thread)}`;
    });
    return `vCont;${texts.join(";")}`;
  },

  /** The thread that `g`, `G`, `p`, `P`, `m` and `M` are about. */
  selectForAccess: (thread: ThreadId): string => `Hg${threadText(thread)}`,
  /** The thread that `c` and `s` are about. */
  selectForResume: (thread: ThreadId | typeof ALL_THREADS): string => `Hc${threadText(thread)}`,
  firstThreads: (): string => "qfThreadInfo",
  moreThreads: (): string => "qsThreadInfo",

  /** Removes QEMU's break- and watchpoints and lets the guest run. */
  detach: (process?: number): string => (process === undefined ? "D" : `D;${hexCount(process)}`),
  /** QEMU exits. Nothing answers it. */
  kill: (): string => "k",
} as const;

/** Bytes of an `M` packet besides the data, at most: mark, letter, 64-bit address, length, punctuation, sum. */
const WRITE_OVERHEAD = 4 + 1 + 16 + 1 + 8 + 1;

/** Most bytes that one `m` may ask for and one `M` may carry, given the stub's PacketSize. */
export const memoryChunk = (packetSize: number): { readonly read: number; readonly write: number } => {
  const read = Math.floor(packetSize / 2);
  const write = Math.floor((packetSize - WRITE_OVERHEAD) / 2);
  assert(write > 0, () => `packets of ${packetSize} bytes carry memory`);
  return { read, write };
};
