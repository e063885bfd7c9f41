import type { Design } from "../../linux/design.ts";
import type { RegisterBlock } from "../../protocol/gdb-remote/register-block.ts";
import { MIB, roundDown, roundUp } from "../../units.ts";
import type { CpuControl } from "../cpu/cpu-control.ts";
import { populated } from "../enforce/audit.ts";
import { RangeSet } from "../enforce/range-set.ts";
import type { GuestRam } from "../guest-ram/guest-ram.ts";
import type { Unpacking } from "../kernel-image/unpacking.ts";
import { LabError } from "../lab-error.ts";
import type { Span } from "../span.ts";
import type { GdbClient } from "../wire/gdb-client.ts";
import type { GuestKernel } from "./guest-kernel.ts";
import { type LabHandOver, labHandOver, MAILBOX_PAGE } from "./hand-over.ts";
import { jump, mailboxStub, STUB_BYTES, STUB_ENTRY } from "./mailbox-stub.ts";
import type { TrustDomain } from "./trust-domain.ts";

const UNIT = 2 * MIB;

/** Where a kernel lies in a running guest. */
export interface Placement {
  /** Guest-physical address of its start. */
  readonly physical: number;
  /** What its virtual addresses moved by. */
  readonly slide: bigint;
}

/** A guest at a kernel's entry: guest-physical addresses. */
export interface KernelEntered {
  readonly entry: number;
  readonly bootParams: number;
}

const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

/** Why a guest reset itself before its kernel was entered, as far as can be told. */
export const neverEntered = (
  { release, preferred, initSize }: Pick<GuestKernel, "release" | "preferred" | "initSize">,
  memory: number,
): string => {
  const needed = preferred + initSize;
  return memory < needed
    ? `the guest's ${mib(memory)} of memory are too little: kernel ${release} takes ${mib(needed)} to decompress itself, and its initramfs comes on top; give it 128 MiB or more`
    : `QEMU ended before kernel ${release} was entered: its decompressor gave up; try more memory, or another kernel`;
};

/** Lets a guest run until it comes to one of some instructions. Undefined if it ends before. */
const runTo = async (gdb: GdbClient, addresses: readonly bigint[]): Promise<RegisterBlock | undefined> => {
  // One write: the guest runs at once, whatever else is done before this goes on.
  const [stop] = await gdb.batch(() => {
    const set = addresses.map((address) => gdb.setBreakpoint("hardware", address));
    return Promise.all([gdb.resume(), ...set]);
  });
  if (stop.kind !== "stopped") return undefined;
  const [registers] = await gdb.batch(() => {
    const cleared = addresses.map((address) => gdb.clearBreakpoint("hardware", address));
    return Promise.all([gdb.readRegisters(), ...cleared]);
  });
  return registers;
};

/** Bytes of a payload that tell it from others. */
const SAMPLE = 65536;

/** Puts the stand-in in the payload's place, where that is what the guest has in memory. @returns whether it is */
const giveStandIn = (ram: GuestRam, { payloadAt, payload, standIn }: Unpacking): boolean => {
  if (!ram.has(payloadAt, payload.length)) return false;
  const sample = payload.subarray(0, SAMPLE);
  if (Buffer.compare(ram.read(payloadAt, sample.length), sample) !== 0) return false;
  ram.write(payloadAt, standIn());
  return true;
};

/** Writes a kernel to the place that its decompressor has chosen, moved by what it has chosen. */
const writeKernel = (ram: GuestRam, physical: number, unpacking: Unpacking, kernel: Uint8Array): void => {
  const witness = ram.read(physical + unpacking.witness, 4);
  unpacking.relocate(kernel, new DataView(witness.buffer).getUint32(0, true));
  ram.write(physical, kernel);
};

/**
 * Lets a fresh guest run up to the decompressor's jump into the kernel, which the lab unpacks where it can.
 *
 * @param memory bytes that the guest has
 * @throws LabError if the guest does not come so far
 */
export const runToKernel = async (
  gdb: GdbClient,
  ram: GuestRam,
  kernel: GuestKernel,
  memory: number,
): Promise<KernelEntered> => {
  const { unpacking, lastJump, entryOffset } = kernel;
  const run = async (...addresses: bigint[]): Promise<RegisterBlock> => {
    const registers = await runTo(gdb, addresses);
    if (registers !== undefined) return registers;
    throw new LabError(neverEntered(kernel, memory));
  };
  let registers = unpacking === undefined ? undefined : await run(unpacking.start, lastJump);
  let unpacked: Uint8Array | undefined;
  if (registers?.read("rip") !== lastJump) {
    const isGiven = unpacking !== undefined && giveStandIn(ram, unpacking);
    const running = run(lastJump);
    // The guest runs meanwhile.
    if (isGiven) unpacked = unpacking.unpacked();
    registers = await running;
  }
  const entry = Number(registers.read("rax"));
  if (unpacking !== undefined && unpacked !== undefined)
    writeKernel(ram, entry - entryOffset, unpacking, unpacked);
  return { entry, bootParams: Number(registers.read("r15")) };
};

/** Where the decompressor put the kernel, read from what it relocated. */
export const placementOf = (ram: GuestRam, kernel: GuestKernel, entry: number): Placement => {
  const physical = entry - kernel.entryOffset;
  const at = physical + Number(kernel.relocated.at - kernel.base);
  const value = new DataView(ram.read(at, 8).buffer).getBigUint64(0, true);
  return { physical, slide: value - kernel.relocated.value };
};

/** Guest-physical address of a linked virtual address in the kernel's image. */
export const physicalOf = (kernel: GuestKernel, place: Placement, address: bigint): number =>
  place.physical + Number(address - kernel.base);

/** Of the RAM that firmware is to leave unaccepted: the units of which nothing is in use. */
export const unusedUnits = (wanted: readonly Span[], used: readonly Span[]): Span[] => {
  const set = new RangeSet();
  for (const { start, end } of wanted) set.add(roundUp(start, UNIT), roundDown(end, UNIT));
  for (const { start, end } of used) set.subtract(roundDown(start, UNIT), roundUp(end, UNIT));
  return [...set.ranges];
};

/** Everything of `all` that is not in `without`. */
const difference = (all: readonly Span[], without: readonly Span[]): readonly Span[] => {
  const set = new RangeSet();
  for (const { start, end } of all) set.add(start, end);
  for (const { start, end } of without) set.subtract(start, end);
  return set.ranges;
};

export interface BringUp {
  readonly ram: GuestRam;
  readonly td: TrustDomain;
  readonly kernel: GuestKernel;
  readonly design: Design;
  /** RAM that firmware is to leave unaccepted. */
  readonly unaccepted: readonly Span[];
}

const ramOf = ({ machine }: TrustDomain): readonly Span[] =>
  machine.config.layout.ram.map(({ start, size }) => ({ start, end: start + size }));

/**
 * Accepts what firmware accepts whatever the guest uses until its kernel is entered: it takes time, and the guest needs
 * none of it before that.
 */
export const acceptAhead = ({ td, unaccepted }: Pick<BringUp, "td" | "unaccepted">): readonly Span[] => {
  const certain = difference(ramOf(td), unusedUnits(unaccepted, []));
  for (const { start, end } of certain) td.acceptForFirmware(start, end);
  return certain;
};

/**
 * Makes a stopped guest a TD: its firmware accepts memory, and the stub leaves its tables.
 *
 * @param accepted what firmware has accepted already
 */
export const makeTd = async (
  { ram, td, kernel, design, unaccepted }: BringUp,
  accepted: readonly Span[],
  at: KernelEntered,
): Promise<{ readonly place: Placement; readonly handOver: LabHandOver }> => {
  const place = placementOf(ram, kernel, at.entry);
  const image = { start: place.physical, end: place.physical + kernel.initSize };
  const left = unusedUnits(unaccepted, [image, ...(await populated(ram))]);
  for (const { start, end } of difference(ramOf(td), [...left, ...accepted]))
    td.acceptForFirmware(start, end);
  td.machine.forgetFirmware();
  const handOver = labHandOver(
    ram,
    { bootParams: at.bootParams, kernel: image },
    design,
    left,
    (start, end) => {
      td.acceptForFirmware(start, end);
      return true;
    },
  );
  return { place, handOver };
};

/** Leads the kernel's TDCALLs to the mailbox. */
export const patchTdcalls = (ram: GuestRam, kernel: GuestKernel, place: Placement): void => {
  const base = kernel.symbol("page_offset_base");
  if (base === undefined)
    throw new LabError(
      `kernel ${kernel.release} has no page_offset_base: CONFIG_DYNAMIC_MEMORY_LAYOUT is off; give another kernel`,
    );
  if (kernel.stubRoom.bytes < STUB_BYTES)
    throw new LabError(
      `kernel ${kernel.release} has no room for ${STUB_BYTES} bytes of mailbox code; use --trap breakpoints`,
    );
  ram.write(physicalOf(kernel, place, kernel.stubRoom.at), mailboxStub(base + place.slide, MAILBOX_PAGE));
  ram.write(MAILBOX_PAGE, new Uint8Array(4096));
  for (const { at, outputs } of kernel.tdcalls) {
    const entry = kernel.stubRoom.at + BigInt(outputs ? STUB_ENTRY.withOutputs : STUB_ENTRY.statusOnly);
    ram.write(physicalOf(kernel, place, at), jump(at, entry));
  }
};

/** Leaf of CPUID in which TDX announces itself, and what it says there: EAX, EBX, EDX, ECX. */
const TDX_LEAF = 0x21;
const TDX_ANSWER = { rax: 0n, rbx: 0x65746e49n, rdx: 0x5844546cn, rcx: 0x20202020n } as const;
const CPUID_BYTES = 2n;

/**
 * Answers the kernel's question whether it runs as a TD, and leaves CPUID alone from then on.
 *
 * @source ABI of TDX guests: leaf 0x21 says "IntelTDX    " in EBX, EDX, ECX
 */
export const announceTdx = async (control: CpuControl, kernel: GuestKernel, slide: bigint): Promise<void> => {
  const sites = kernel.cpuidSites.map((site) => site + slide);
  const hookAt = (site: bigint): Promise<void> =>
    control.hook(site, async ({ registers, gdb }) => {
      if (registers.low("rax") !== TDX_LEAF) return {};
      await gdb.batch(() => Promise.all(sites.map((each) => control.unhook(each))));
      return { ...TDX_ANSWER, rip: site + CPUID_BYTES };
    });
  await control.gdb.batch(() => Promise.all(sites.map(hookAt)));
};

/**
 * Tells where the direct mapping starts, once the kernel has decided it.
 *
 * @param then is called while the guest stands still, with the mapping's virtual address
 */
export const onceDirectMapIsKnown = async (
  control: CpuControl,
  kernel: GuestKernel,
  slide: bigint,
  then: (base: bigint) => Promise<void>,
): Promise<void> => {
  const decided = kernel.symbol("init_mem_mapping");
  const variable = kernel.symbol("page_offset_base");
  if (decided === undefined || variable === undefined) {
    throw new LabError(
      `kernel ${kernel.release} has no init_mem_mapping or no page_offset_base; give another kernel`,
    );
  }
  await control.hook(
    decided + slide,
    async ({ gdb }) => {
      const bytes = await gdb.readMemory(variable + slide, 8);
      await then(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
      return {};
    },
    true,
  );
};
