import { designNamed } from "../../../designs/designs.ts";
import { geometry } from "../../../linux/geometry.ts";
import type { KernelOptions } from "../../../linux/kernel.ts";
import { type Fix, VARIANTS, withoutFixes } from "../../../linux/variant.ts";
import type { MachineConfig } from "../../../machine/config.ts";
import { FAULT_CALLS } from "../../../machine/faults/fault-calls.ts";
import type { FaultPlan } from "../../../machine/faults/fault-points.ts";
import type { PlatformName } from "../../../machine/guest-platform.ts";
import type { KexecSyscall } from "../../../machine/next-kernel.ts";
import { NotModelled } from "../../../not-modelled.ts";
import { gpa } from "../../../units.ts";
import type { VmmPolicy } from "../../../vmm/policy.ts";
import { deviceBlock, HIGH_BASE, layoutOf, type Placement, sratOf, UNIT } from "./placement.ts";

/** Something that the operator or a user does. Sizes and places are counted in units of 2 MiB. */
export type Deed =
  | { readonly do: "resize"; readonly to: number }
  /** Of the DIMM in this slot; left out: 0. */
  | { readonly do: "plug" | "unplug"; readonly slot?: number | undefined }
  | {
      readonly do: "allocate";
      readonly units: number;
      readonly as: string;
      readonly pinned?: boolean | undefined;
    }
  | { readonly do: "free"; readonly as: string }
  /** What was allocated is made shared with the VMM, or private again. Where it is not one piece of memory nothing happens. */
  | { readonly do: "share"; readonly as: string }
  | { readonly do: "unshare"; readonly as: string }
  /** Another kernel of the same kind is loaded and started. Before the search only: it makes another machine. */
  | { readonly do: "kexec"; readonly syscall?: KexecSyscall | undefined }
  /**
   * The kernel reads a word of its own memory that runs into this unit, counted from the first above 4 GiB; if it has
   * none there, nothing happens.
   */
  | { readonly do: "read"; readonly across: number }
  | { readonly do: "online"; readonly block: number }
  | { readonly do: "offline"; readonly block: number };

/** Deeds that one person does in order. */
export interface Program {
  readonly by: "operator" | { readonly user: number };
  readonly deeds: readonly Deed[];
  /** The next deed may begin at any time after the one before, or when nobody has anything left to do. */
  readonly when: "any time" | "at rest";
}

/**
 * A machine to explore, as plain JSON. Above 4 GiB lie `staticUnits` of boot memory that firmware did not accept, and
 * directly behind them the memory device. A memory block is `blockUnits`.
 */
export interface MachineConfiguration {
  readonly name: string;
  readonly design: string;
  readonly vcpus: number;
  readonly staticUnits: number;
  readonly blockUnits: 2 | 4 | 64;
  readonly device: { readonly kind: "virtio-mem" | "dimm"; readonly units: number };
  readonly accept: "lazy" | "eager";
  readonly memmapOnMemory: boolean;
  readonly pageRelease: boolean;
  readonly discard: VmmPolicy["discard"];
  readonly unplugged: VmmPolicy["unplugged"];
  readonly aug: VmmPolicy["aug"];
  readonly revert: readonly Fix[];
  /** Done before the search begins, one after the other, each to its end. */
  readonly before: readonly Deed[];
  readonly programs: readonly Program[];
  /** One fault that may happen once, or up to so many times, at any call of its kind. */
  readonly fault: {
    readonly call: string;
    readonly answer: string;
    readonly times?: number | undefined;
  } | null;
  /** Invariants that count. Empty: all. */
  readonly rules: readonly string[];
  /** What makes the VM confidential; left out: TDX. */
  readonly platform?: PlatformName | undefined;
  /** Big-block mode of virtio-mem (force_bbm); left out: no. */
  readonly bigBlocks?: boolean | undefined;
  /** Units of a DIMM that there may be beside a virtio-mem device, behind it; left out: none. */
  readonly dimmUnits?: number | undefined;
  /** Slots for DIMMs, each with a DIMM of its own, of the same size; left out: one. */
  readonly slots?: number | undefined;
  /** Zone that hot-added memory goes online to, or none: it stays offline until somebody asks. Left out: MOVABLE. */
  readonly zone?: "kernel" | "movable" | "none" | undefined;
  /** Where memory lies and what the SRAT says of it, if not as usual. */
  readonly placement?: Placement | undefined;
}

const PAGE_SHIFT = 12;
const PAGEBLOCK_ORDER = 9;
const MAX_ORDER = 10;

/** One rule; whether it strikes is for the search to choose. */
const faultsOf = ({ fault }: MachineConfiguration): FaultPlan | undefined => {
  if (fault === null) return undefined;
  const call = FAULT_CALLS.findIndex(({ name }) => name === fault.call);
  const answer = FAULT_CALLS[call]?.answers.get(fault.answer);
  if (answer === undefined) throw new NotModelled(`fault ${fault.call} answers ${fault.answer}`);
  const always = { device: -1, start: 0, end: Number.POSITIVE_INFINITY, first: 1, times: 1, rate: 0 };
  return { seed: 1, rules: [{ ...always, call, answer, lateNs: 0, after: 1 }] };
};

const policyOf = ({ aug, discard, unplugged }: MachineConfiguration): Partial<VmmPolicy> => ({
  augSize: "2M",
  aug,
  discard,
  unplugged,
});

/** What becomes of hot-added memory, as the kernel's parameter names it. */
export const AUTO_ONLINE = { kernel: "online_kernel", movable: "online_movable", none: "offline" } as const;

const optionsOf = ({ accept, memmapOnMemory, bigBlocks, zone }: MachineConfiguration): KernelOptions => ({
  ...{ accept, memmapOnMemory, unplugOnline: true, bbmBlockSize: 0 },
  forceBbm: bigBlocks === true,
  autoOnline: AUTO_ONLINE[zone ?? "movable"],
});

/** The machine of a configuration. @throws NotModelled for a design or a fault that there is not */
export const machineConfigOf = (configuration: MachineConfiguration): MachineConfig => {
  const { vcpus, device, staticUnits, pageRelease, platform } = configuration;
  const design = designNamed(configuration.design);
  if (design === undefined) throw new NotModelled(`design ${configuration.design}`);
  const layout = layoutOf(configuration);
  const faults = faultsOf(configuration);
  const srat = sratOf(configuration, layout);
  const virtioMem = { id: "vm0", ...deviceBlock(configuration), requestedSize: 0 };
  return {
    ...(platform === undefined ? {} : { platform }),
    layout,
    geometry: geometry(PAGE_SHIFT, PAGEBLOCK_ORDER, MAX_ORDER, 21 + Math.log2(configuration.blockUnits)),
    nodes: 1,
    vcpus,
    virtioMem: device.kind === "virtio-mem" ? [virtioMem] : [],
    dimms: [],
    ...(srat === undefined ? {} : { srat }),
    unaccepted: [{ start: gpa(HIGH_BASE), size: staticUnits * UNIT }],
    efiMemoryMap: [],
    policy: policyOf(configuration),
    pageRelease,
    variant: withoutFixes(VARIANTS["7.3"], configuration.revert),
    options: optionsOf(configuration),
    design,
    seed: 1,
    ...(faults === undefined ? {} : { faults }),
  };
};
