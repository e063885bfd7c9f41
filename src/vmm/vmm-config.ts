import type { Regs } from "../abi/tdx/regs.ts";
import type { SnpGuest } from "../snp/snp-guest.ts";
import { PAGE_SIZE } from "../units.ts";
import type { DimmOptions } from "./dimm.ts";
import type { VmmSink } from "./events.ts";
import type { HostRange } from "./host-memory.ts";
import type { HostAllocation } from "./host-use.ts";
import type { GuestLayout } from "./layout.ts";
import { type AreaDefinition, DIMM_AREA, RAM_AREA, VIRTIO_MEM_AREA } from "./memory-map.ts";
import { UNIT_PAGES } from "./page-set.ts";
import type { PamtPairs } from "./pamt-pairs.ts";
import type { VmmPolicy } from "./policy.ts";
import type { SeamcallPort } from "./seam.ts";
import type { RmpFaults } from "./snp/snp-host.ts";
import { VirtioMemDevice } from "./virtio-mem-device.ts";
import type { VirtioMemProperties } from "./virtio-mem-properties.ts";
import { demand, hex } from "./vmm-error.ts";
import { placeInWindow, type Taken } from "./window.ts";

/** A virtio-mem device as the operator describes it; `memaddr` is chosen when it is left out. */
export type VirtioMemConfig = Omit<VirtioMemProperties, "memaddr"> & { readonly memaddr?: number };

/** What a VMM is made of, and the machine around it. Sizes and addresses are bytes. */
export interface VmmConfig {
  readonly layout: GuestLayout;
  readonly virtioMem?: readonly VirtioMemConfig[];
  /** Memory backends for DIMMs that are known from the start. */
  readonly backends?: readonly { readonly id: string; readonly size: number }[];
  /** DIMMs that are there at boot. */
  readonly dimms?: readonly DimmOptions[];
  readonly policy?: Partial<VmmPolicy>;
  /** Host memory for private pages and tables; the TDX module must cover it. */
  readonly host: HostRange;
  /** Host memory that the guest may use in both planes together. Default: no limit. */
  readonly hostLimit?: number;
  /** Asked before each allocation of host memory: whether it fails. Default: none does. */
  readonly allocationFails?: (what: HostAllocation) => boolean;
  readonly vcpus: number;
  /** NUMA nodes. Default: 1. */
  readonly nodes?: number;
  /** Memslots that KVM offers. Default: 509. */
  readonly maxMemslots?: number;
  /** Width of a guest-physical address; its top bit means shared. Default: 52. */
  readonly gpaw?: number;
  /** The guest as SEV-SNP hardware knows it; it is a TD if this is left out. */
  readonly snp?: SnpGuest;
  /** Makes RMPUPDATE and PSMASH fail. Default: nothing does. */
  readonly rmpFaults?: RmpFaults;
  /** Executes a SEAMCALL on the host's registers. */
  readonly seamcall?: SeamcallPort;
  /**
   * Does what the SEAMCALLs do by which pages of 4 KiB from a guest frame on are removed one by one, for as many of them as nobody
   * can tell the difference of. Default: none.
   *
   * @returns how many were removed, the first ones
   */
  readonly removePages?: (frame: number, count: number) => number;
  /** On a host with dynamic PAMT: its count of the pages that TDX has. */
  readonly pairs?: PamtPairs;
  /** What TDH.VP.ENTER gave the host at a vCPU's last TD exit. A TDVMCALL's results are written back there. */
  readonly exitRegs?: (vcpu: number) => Regs;
  /** Whether a vCPU runs guest code right now, so that a kick has to wait for it. Default: none does. */
  readonly inGuest?: (vcpu: number) => boolean;
  /** Whether an interrupt waits for a vCPU, for which a long MapGPA breaks off. Default: none does. */
  readonly hasEvent?: (vcpu: number) => boolean;
  readonly sink?: VmmSink;
}

/** The areas of a guest's memory map: RAM ranges, virtio-mem regions, DIMM slots. */
export const areasOf = (layout: GuestLayout, devices: number): AreaDefinition[] => [
  ...layout.ram.map((_range, index) => ({ kind: RAM_AREA, index })),
  ...Array.from({ length: devices }, (_, index) => ({ kind: VIRTIO_MEM_AREA, index })),
  ...Array.from({ length: layout.slots }, (_, index) => ({ kind: DIMM_AREA, index })),
];

/**
 * Gives every virtio-mem device its place in the window, in the order in which the operator named them.
 *
 * @throws VmmError for a device that does not fit, whose id is taken, or whose node does not exist
 */
export const realizeDevices = (
  layout: GuestLayout,
  configs: readonly VirtioMemConfig[],
  nodes: number,
): VirtioMemDevice[] => {
  const taken: Taken[] = [];
  return configs.map((config) => {
    const { id, size, memaddr = 0, blockSize = 0, node = 0 } = config;
    demand(
      Number.isInteger(node) && 0 <= node && node < nodes,
      `${id} node`,
      `0 to ${nodes - 1}`,
      String(node),
    );
    const isNew = taken.every((other) => other.id !== id);
    demand(isNew, "virtio-mem id", "an id of its own", id);
    const left = layout.maxmem - layout.memory - taken.reduce((sum, other) => sum + other.size, 0);
    const what = `${id} memory backend size`;
    demand(size <= left, what, `at most ${hex(left)}, which maxmem leaves`, hex(size));
    const align = Math.max(blockSize, UNIT_PAGES * PAGE_SIZE);
    const start = placeInWindow(layout.deviceMemory, taken, { id, size, align, hint: memaddr });
    const device = new VirtioMemDevice({ ...config, memaddr: start });
    taken.push({ id, start, size });
    return device;
  });
};
