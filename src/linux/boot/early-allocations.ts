import { GIB, KIB, MIB } from "../../units.ts";

/** What the size of an early allocation depends on. */
export interface BootFacts {
  /** Bytes of memory in memblock. */
  readonly memory: number;
  /** First byte behind all memory. */
  readonly end: number;
  readonly nodes: number;
  readonly vcpus: number;
  /** Bytes of struct pages for the sections of each node. */
  readonly memmap: readonly number[];
  /** Whether the guest's memory is encrypted, so that every DMA goes through the bounce buffer. */
  readonly encrypted: boolean;
}

/** One thing that the kernel takes from memblock for itself. */
export interface EarlyAllocation {
  readonly what: string;
  /** Bytes; asked for every node where perNode says so. */
  readonly bytes: (facts: BootFacts, node: number) => number;
  readonly align: number;
  readonly perNode?: boolean;
  /** It holds struct pages. */
  readonly memmap?: boolean;
  /** Without it the kernel warns and goes on; without anything else it panics. */
  readonly optional?: boolean;
  /** It is kept for a crash kernel. */
  readonly forCrash?: boolean;
  /** Bytes at its end that are given back at once. They were accepted with the rest. */
  readonly unused?: (facts: BootFacts) => number;
  /** Bytes below which it has to lie. */
  readonly limit?: number;
  /** Where the figure comes from. "assumed" says that none was found. */
  readonly source: string;
}

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
const pages = (bytes: number): number => Math.ceil(bytes / (4 * KIB)) * 4 * KIB;

/** pg_data_t of a kernel built for 8192 CPUs, whole pages. */
const NODE_DATA_BYTES = 0x2b000;
/** Static, reserved and dynamic area of one CPU: 62 pages. */
const PERCPU_BYTES = 62 * 4 * KIB;
const percpuBlocks = (vcpus: number): number => Math.ceil(vcpus / 8) * 2 * MIB;
/** Sections covered by one root of the section directory: a page of 16-byte entries. */
const ROOT_BYTES = 256 * 128 * MIB;

/** Memory beyond which a table has an entry for more bytes, four times as much for each doubling. */
const ADAPT_BASE = 64 * GIB;

/**
 * Bytes of a hash table with one pointer for 2^scale bytes of memory. On several nodes it is not taken from memblock.
 *
 * @source Linux mm/mm_init.c, alloc_large_system_hash
 */
const hashBytes = ({ memory, nodes }: BootFacts, scale: number): number => {
  if (nodes > 1) return 0;
  let shift = scale;
  for (let adapt = ADAPT_BASE; adapt < memory; adapt *= 4) shift++;
  return 8 * 2 ** Math.ceil(Math.log2(memory / 2 ** shift));
};

const hashTable = (name: string, scale: number): EarlyAllocation => ({
  what: `${name} hash table`,
  bytes: (facts) => hashBytes(facts, scale),
  align: 64,
  source: `boot log of 2 GiB: "Dentry cache hash table entries: 262144 (order: 9, 2097152 bytes, linear)", half of it for inodes`,
});

/** What crashkernel= keeps, taken once the nodes are known. */
const crashKernel = (bytes: number): EarlyAllocation => ({
  what: "crash kernel",
  bytes: () => bytes,
  align: 16 * MIB,
  limit: 4 * GIB,
  forCrash: true,
  optional: true,
  source: "kernel/crash_reserve.c, arch/x86/include/asm/crash_reserve.h: 16 MiB aligned, below 4 GiB",
});

/**
 * In the order of the boot.
 *
 * @source Linux arch/x86/mm/init.c, arch/x86/mm/numa.c, mm/sparse.c, arch/x86/kernel/setup_percpu.c,
 *   kernel/dma/swiotlb.c, arch/x86/mm/mem_encrypt.c; boot logs of Debian 6.1 in a 2 GiB guest
 * @missing the log buffer and other small things, together below 1 MiB in that guest
 */
export const EARLY_ALLOCATIONS: readonly EarlyAllocation[] = [
  {
    what: "page tables of the direct map",
    bytes: ({ memory }) => 4 * KIB * Math.ceil(memory / GIB),
    align: 4 * KIB,
    source: "assumed: mapped with 2 MiB pages, one table a GiB",
  },
  {
    what: "NODE_DATA",
    bytes: () => NODE_DATA_BYTES,
    align: 64,
    perNode: true,
    source: 'boot log: "NODE_DATA(0) allocated", 0x2b000 bytes',
  },
  {
    what: "section directory",
    bytes: ({ end }) => MIB + 4 * KIB * Math.ceil(end / ROOT_BYTES),
    align: 64,
    source: "2^52 bytes of address space: 131072 roots of 8 bytes, a page for each root in use",
  },
  {
    what: "memmap",
    bytes: ({ memmap }, node) => memmap[node] ?? 0,
    align: 2 * MIB,
    perNode: true,
    memmap: true,
    source: "64 bytes a page, for whole sections, in one piece a node",
  },
  {
    what: "per-cpu areas",
    bytes: ({ vcpus }) => percpuBlocks(vcpus),
    unused: ({ vcpus }) => percpuBlocks(vcpus) - PERCPU_BYTES * vcpus,
    align: 2 * MIB,
    source: 'boot log: "percpu: Embedded 62 pages/cpu s217088 r8192 d28672 u2097152": 2 MiB for up to eight',
  },
  hashTable("dentry", 13),
  hashTable("inode", 14),
  {
    what: "swiotlb bounce buffer",
    bytes: ({ memory, encrypted }) =>
      encrypted ? pages(clamp(Math.floor((memory * 6) / 100), 64 * MIB, GIB)) : 64 * MIB,
    align: 4 * KIB,
    limit: 4 * GIB,
    optional: true,
    source: "64 MiB; in an encrypted guest 6 % of memory between 64 MiB and 1 GiB, below 4 GiB",
  },
];

/**
 * What reserve_mem= keeps: bytes as they were written, which may end inside a page.
 *
 * @source Linux mm/memblock.c, reserve_mem
 */
const reservedMemory = ({ size, align }: ReserveMem): EarlyAllocation => ({
  what: "reserve_mem",
  bytes: () => size,
  align,
  optional: true,
  source: "the command line",
});

export interface ReserveMem {
  readonly size: number;
  readonly align: number;
}

/** The same on a kernel whose command line asks for more. @param crashKernel bytes of crashkernel= */
export const earlyAllocations = ({
  crashKernel: crash,
  reserveMem,
}: {
  readonly crashKernel: number | undefined;
  readonly reserveMem: ReserveMem | undefined;
}): readonly EarlyAllocation[] =>
  EARLY_ALLOCATIONS.flatMap((entry) => {
    if (entry.what === "section directory" && crash !== undefined) return [crashKernel(crash), entry];
    // Parameters that are not early ones are read once the CPUs have their areas.
    if (entry.what === "per-cpu areas" && reserveMem !== undefined)
      return [entry, reservedMemory(reserveMem)];
    return [entry];
  });
