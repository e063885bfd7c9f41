import { RMP_ENTRY_BYTES } from "../abi/snp/rmp-entry.ts";
import { HPA_LIST_ENTRIES } from "../abi/tdx/hpa-list-info.ts";
import { type PamtSize, requiredPamtBytes } from "../abi/tdx/pamt-size.ts";
import { EARLY_ALLOCATIONS } from "../linux/boot/early-allocations.ts";
import { TDCS_PAGES, TDVPS_PAGES } from "../tdx-module/operands.ts";
import { GIB, KIB, MIB, PAGE_SIZE, roundUp, TIB } from "../units.ts";
import type { MachineFacts, Range } from "./machine-facts.ts";
import type { PlanRequest } from "./plan-request.ts";

/** What a TD costs its host beside its memory. Bytes where nothing else is said. */
export interface TdOverhead {
  /** Metadata for the memory that the TD may have. */
  readonly pamt: number;
  /** The same on a module with dynamic PAMT while all of it is mapped in 2 MiB pages. */
  readonly pamtDynamic: number;
  /** The same once all of it is mapped in 4 KiB pages. */
  readonly pamtDynamicSmall: number;
  /** Secure-EPT tables once all memory is mapped in 2 MiB pages, and in 4 KiB pages. */
  readonly sept: number;
  readonly septSmall: number;
  /** Control pages: TDR, TDCS and the vCPUs' TDVPS. */
  readonly control: number;
  /** Bounce buffers, which the guest shares: host memory beside the private memory that they replace. */
  readonly shared: number;
}

/** What an SEV-SNP guest costs its host beside its memory, in bytes. */
export interface SnpOverhead {
  /** Entries of the RMP for all memory that the guest may have. The host reserves the table at boot, for all of its own memory. */
  readonly rmp: number;
  /** Nested page tables of four levels once all memory is mapped in 2 MiB pages, and in 4 KiB pages. */
  readonly nested: number;
  readonly nestedSmall: number;
  /** The guest's context page, and a save area (VMSA) for each vCPU. */
  readonly control: number;
  /** Bounce buffers, which the guest shares. */
  readonly shared: number;
}

export type HostOverhead = TdOverhead | SnpOverhead;

/** What the host gives the TDX module where an add-on feature wants the extensions. */
export interface ExtensionPoolFacts {
  readonly pages: number;
  readonly bytes: number;
  /** Lists of addresses, hence calls of TDH.EXT.MEM.ADD where none is interrupted. */
  readonly lists: number;
  /** 2 MiB blocks of the host that are no longer whole: pages in one run, and scattered at worst. */
  readonly blocksContiguous: number;
  readonly blocksScattered: number;
}

const SIZES: readonly PamtSize[] = ["4K", "2M", "1G"];

const pamtBytes = (bytes: number, dynamic: boolean): number => {
  const covered = BigInt(roundUp(bytes, GIB));
  return SIZES.reduce(
    (sum, size) => sum + roundUp(Number(requiredPamtBytes(covered, size, dynamic)), PAGE_SIZE),
    0,
  );
};

/** Tables of one level that cover the ranges, each table `covers` bytes. */
const tables = (ranges: readonly Range[], covers: number): number => {
  const numbers = ranges.map(
    ({ start, end }) => [Math.floor(start / covers), Math.ceil(end / covers)] as const,
  );
  let last = -1;
  let count = 0;
  for (const [from, to] of numbers) {
    count += Math.max(0, to - Math.max(from, last));
    last = Math.max(last, to);
  }
  return count;
};

/** Page tables without level 5: what a secure EPT of five has below the root in the TDCS, and nested page tables of four have. */
const tableBytes = (ranges: readonly Range[], small: boolean): number =>
  PAGE_SIZE *
  (tables(ranges, GIB) +
    tables(ranges, 512 * GIB) +
    tables(ranges, 256 * TIB) +
    (small ? tables(ranges, 2 * MIB) : 0));

const bounceBytes = ({ memory, nodes, vcpus }: PlanRequest): number =>
  EARLY_ALLOCATIONS.find(({ what }) => what.startsWith("swiotlb"))?.bytes(
    { memory, end: memory, nodes, vcpus, memmap: [], encrypted: true },
    0,
  ) ?? 0;

/** A region of 2 MiB in 4 KiB pages takes a pair of pages for its metadata. */
const PAIR_BYTES = 8 * KIB;

const privateRanges = ({ hotplug }: PlanRequest, { ram, window }: MachineFacts): readonly Range[] =>
  window === null ? ram : [...ram, { start: window.start, end: window.start + hotplug }];

/** @source TDX module ABI: PAMT_*_ENTRY_SIZE, TDCS and TDVPS base sizes; the dynamic PAMT patches */
const tdOverhead = (request: PlanRequest, facts: MachineFacts): TdOverhead => {
  const { memory, hotplug, vcpus } = request;
  const all = memory + hotplug;
  const ranges = privateRanges(request, facts);
  const dynamic = pamtBytes(all, true);
  return {
    pamt: pamtBytes(all, false),
    pamtDynamic: dynamic,
    pamtDynamicSmall: dynamic + (all / (2 * MIB)) * PAIR_BYTES,
    sept: tableBytes(ranges, false),
    septSmall: tableBytes(ranges, true),
    control: PAGE_SIZE * (1 + TDCS_PAGES + vcpus * TDVPS_PAGES),
    shared: bounceBytes(request),
  };
};

/** @source Linux arch/x86/virt/svm/sev.c, 16 bytes of RMP a page; arch/x86/kvm/svm/sev.c, the context page and the VMSAs */
const snpOverhead = (request: PlanRequest, facts: MachineFacts): SnpOverhead => {
  const { memory, hotplug, vcpus } = request;
  const ranges = privateRanges(request, facts);
  return {
    rmp: ((memory + hotplug) / PAGE_SIZE) * RMP_ENTRY_BYTES,
    nested: tableBytes(ranges, false),
    nestedSmall: tableBytes(ranges, true),
    control: PAGE_SIZE * (1 + vcpus),
    shared: bounceBytes(request),
  };
};

export const hostOverhead = (request: PlanRequest, facts: MachineFacts): HostOverhead =>
  request.platform === "snp" ? snpOverhead(request, facts) : tdOverhead(request, facts);

/** @source lore "x86/virt/tdx: Add extra memory to TDX Module for Extensions", 2026-06 */
export const extensionPool = ({ extensionPages: pages }: PlanRequest): ExtensionPoolFacts => ({
  pages,
  bytes: pages * PAGE_SIZE,
  lists: Math.ceil(pages / HPA_LIST_ENTRIES),
  blocksContiguous: Math.ceil((pages * PAGE_SIZE) / (2 * MIB)),
  blocksScattered: pages,
});
