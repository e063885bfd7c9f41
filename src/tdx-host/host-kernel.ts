import { TDH, type TdhLeaf } from "../abi/tdx/leaves.ts";
import {
  getBig,
  getNumber,
  newRegs,
  R8,
  R9,
  R10,
  R11,
  RAX,
  RCX,
  RDX,
  REGISTER_NAMES,
  type RegisterName,
  setBig,
} from "../abi/tdx/regs.ts";
import { type Status, statusWord } from "../abi/tdx/status.ts";
import { SYS_FIELDS, type SysField } from "../abi/tdx/sys-fields.ts";
import { Frame, ProcedureTable, TASK_WORDS } from "../flat/procedure.ts";
import type { TdxModule } from "../tdx-module/module.ts";
import { seamcall } from "../tdx-module/seamcall.ts";
import type { ExtensionPool } from "./extension-pool.ts";
import { HostCaches } from "./host-caches.ts";
import { HostPages } from "./host-pages.ts";
import { KernelLog } from "./kernel-log.ts";
import type { ByteRange, MemoryRange } from "./memory-range.ts";
import type { BuiltTdmr, TdmrLimits } from "./tdmr-list.ts";

/** Which kernel the host runs, in what its log shows of it. */
export const HOST_KERNELS = ["6.12", "7.3"] as const;
export type HostKernelVersion = (typeof HOST_KERNELS)[number];

/** What the host's kernel does where versions and proposals differ. */
export interface HostPolicy {
  readonly kernel: HostKernelVersion;
  /** Where holes of a TDMR come from: the kernel's memory, or the convertible ranges (proposed in 2024-11, not merged). */
  readonly holes: "memory" | "cmrs";
  /**
   * How hot-added memory is kept out: block by block when it goes online, as a whole when it is added (proposed), or not at all,
   * which no kernel that runs TDs does.
   */
  readonly hotplugCheck: "notifier" | "range-check" | "none";
  /** Whether extensions get contiguous pages, as the patches do, or whatever alloc_page() gives. */
  readonly extensionPages: "contiguous" | "scattered";
  /** Whether the host asks for dynamic PAMT, where the module has it (patches of 2025 and 2026). */
  readonly dynamicPamt: boolean;
  /** Whether pages are flushed from the caches before the extensions get them: v1 of the patches does, v2 does not. */
  readonly extensionFlush: boolean;
}

export const DEFAULT_HOST_POLICY: HostPolicy = {
  kernel: "7.3",
  holes: "memory",
  hotplugCheck: "notifier",
  extensionPages: "contiguous",
  dynamicPamt: false,
  extensionFlush: false,
};

export interface HostOptions {
  /** memblock's memory, ascending and disjoint. */
  readonly memory: readonly MemoryRange[];
  readonly module: TdxModule;
  readonly policy?: Partial<HostPolicy>;
  /**
   * Memory that a platform with a CXL security protocol vouches for although it is not there at boot. No such platform
   * exists; the kernel then would build TDMRs over it beforehand.
   */
  readonly secureWindows?: readonly MemoryRange[];
  /** Add-on features to choose in TDH.SYS.CONFIG, as bits of TDX_FEATURES0. */
  readonly addOnFeatures?: bigint;
  readonly refused?: readonly RefusedSeamcall[];
  readonly faults?: HostFaults;
}

/** Makes SEAMCALLs of this host fail, one by one. */
export interface HostFaults {
  /** Whether a call of this leaf may fail at all. */
  concerns(leaf: number): boolean;
  /** Such a call is about to be made. @returns the status that it answers, or -1 */
  strike(leaf: number): number;
  /** The kernel is about to allocate. @returns whether it gets nothing */
  allocationFails(what: HostKernelAllocation): boolean;
}

/** What the host's kernel allocates: tables of a TDMR, what it hands to the module, the pool of the extensions, a TD's memory. */
export const HOST_KERNEL_ALLOCATION = {
  PAMT: 0,
  TDMR_INFO: 1,
  EXTENSION_POOL: 2,
  PRIVATE_MEMORY: 3,
} as const;
export type HostKernelAllocation = (typeof HOST_KERNEL_ALLOCATION)[keyof typeof HOST_KERNEL_ALLOCATION];

/** A SEAMCALL that the module is made to refuse: the `at`-th call of the leaf, from 1. */
export interface RefusedSeamcall {
  readonly leaf: TdhLeaf;
  readonly at: number;
  readonly status: Status;
}

/** Hears of each SEAMCALL once it is done, or of `calls` equal ones in a row. */
export type SeamcallListener = (leaf: number, status: Status, calls: number) => void;

/** Words of the host that procedures work on. */
export const HOST_WORD = { ERROR: 0, SEAMCALLS: 1, CALLS_PER_STEP: 2 } as const;

type Operands = { readonly [register in RegisterName]?: number | bigint };

/** The Linux of a TDX host, as far as it deals with the module. */
export class TdxHost {
  readonly module: TdxModule;
  readonly policy: HostPolicy;
  readonly memory: readonly MemoryRange[];
  readonly secureWindows: readonly MemoryRange[];
  readonly addOnFeatures: bigint;
  readonly log = new KernelLog();
  readonly pages: HostPages;
  readonly caches: HostCaches;
  readonly regs = newRegs();
  onSeamcall: SeamcallListener = () => {};
  private readonly refused: readonly RefusedSeamcall[];
  private readonly faults: HostFaults | undefined;
  /** Calls made of the leaves that `refused` names. */
  private readonly made = new Map<number, number>();
  readonly words = new Float64Array(3);
  /** Memory added after boot, which memblock gets too: what is added before TDX comes up belongs to it. */
  hotAdded: readonly MemoryRange[] = [];
  /** Memory that TDX may use; empty as long as TDX is off, which allows any memory to go online. */
  memlist: readonly MemoryRange[] = [];
  limits: TdmrLimits = {
    maxTdmrs: 0,
    maxReserved: 0,
    entryBytes: { "4K": 0, "2M": 0, "1G": 0 },
    bitmapBits: 0,
  };
  cmrs: readonly ByteRange[] = [];
  tdmrs: readonly BuiltTdmr[] = [];
  /** First byte of the pages that hold TDMR_INFO, or -1. */
  infoPages = -1;
  pool: ExtensionPool | undefined;
  /** Numbers of the blocks of 2 MiB whose pair of dynamic PAMT pages stays: the extensions have pages in them. */
  readonly pairedForGood = new Set<number>();
  state: "uninitialized" | "initialized" | "error" = "uninitialized";

  constructor(options: HostOptions) {
    this.module = options.module;
    this.policy = { ...DEFAULT_HOST_POLICY, ...options.policy };
    this.memory = options.memory;
    this.secureWindows = options.secureWindows ?? [];
    this.addOnFeatures = options.addOnFeatures ?? 0n;
    this.pages = new HostPages(options.memory);
    this.caches = new HostCaches(this.module.features.includes("CLFLUSH_BEFORE_ALLOC"));
    this.refused = options.refused ?? [];
    this.faults = options.faults;
    for (const { leaf } of this.refused) this.made.set(TDH[leaf], 0);
    this.words[HOST_WORD.CALLS_PER_STEP] = 1;
  }

  /** One SEAMCALL on logical processor `lp`. Registers that are left out are zero. */
  seamcall(leaf: TdhLeaf, operands: Operands = {}, lp = 0, version = 0): Status {
    this.regs.fill(0);
    for (const [name, value] of Object.entries(operands)) {
      setBig(this.regs, REGISTER_NAMES.indexOf(name as RegisterName), BigInt(value));
    }
    this.regs[2 * RAX] = TDH[leaf] + version * 0x1_0000;
    return this.repeatSeamcall(lp);
  }
  /** The same with the registers as they are. */
  repeatSeamcall(lp = 0): Status {
    const leaf = this.regs[2 * RAX]! & 0xffff;
    this.module.lp = lp;
    this.words[HOST_WORD.SEAMCALLS]!++;
    this.refuseIfDue(leaf);
    const result = seamcall(this.module, this.regs);
    this.onSeamcall(leaf, result, 1);
    return result;
  }

  private refuseIfDue(leaf: number): void {
    const struck = this.faults?.concerns(leaf) === true ? this.faults.strike(leaf) : -1;
    if (struck >= 0) this.module.faults.nextSeamcall(leaf, struck as Status);
    const made = this.made.get(leaf);
    if (made === undefined) return;
    this.made.set(leaf, made + 1);
    const due = this.refused.find((one) => TDH[one.leaf] === leaf && one.at === made + 1);
    if (due !== undefined) this.module.faults.nextSeamcall(leaf, due.status);
  }
  /** The kernel is about to allocate. @returns whether it gets nothing, because a fault says so */
  allocationFails(what: HostKernelAllocation): boolean {
    return this.faults?.allocationFails(what) === true;
  }

  /** Whether calls of a leaf have to be made one by one, because one of them is to be refused. */
  countsCalls(leaf: TdhLeaf): boolean {
    return this.made.has(TDH[leaf]) || this.faults?.concerns(TDH[leaf]) === true;
  }

  /** What seamcall_prerr() prints. @source Linux arch/x86/virt/vmx/tdx/tdx.c */
  printSeamcallError(leaf: TdhLeaf, status: Status, version = 0): void {
    const fn = word(BigInt(TDH[leaf] + version * 0x1_0000));
    this.log.tdx("err", `SEAMCALL (0x${fn}) failed: 0x${word(statusWord(status))}`);
  }
  /** What seamcall_prerr_ret() adds: the registers that the call left. */
  printRegisters(): void {
    const reg = (r: number): string => `0x${word(getBig(this.regs, r))}`;
    this.log.tdx("err", `RCX ${reg(RCX)} RDX ${reg(RDX)} R08 ${reg(R8)}`);
    this.log.tdx("err", `R09 ${reg(R9)} R10 ${reg(R10)} R11 ${reg(R11)}`);
  }

  /** TDH.SYS.RD of element `element`; undefined after printing what failed. */
  readField(field: SysField, element = 0): number | undefined {
    const status = this.seamcall("TDH.SYS.RD", { RDX: SYS_FIELDS[field].id + BigInt(element) });
    if (status === 0) return getNumber(this.regs, R8);
    this.printSeamcallError("TDH.SYS.RD", status);
    this.printRegisters();
    return undefined;
  }

  /** Bytes of metadata of all TDMRs. */
  get pamtBytes(): number {
    return this.tdmrs.reduce(
      (sum, { pamtBytes }) => sum + pamtBytes["4K"] + pamtBytes["2M"] + pamtBytes["1G"],
      0,
    );
  }
}

const word = (value: bigint): string => value.toString(16).padStart(16, "0");

/** Every procedure of the host. */
export const HOST_PROCEDURES = new ProcedureTable<TdxHost>();

/** A task of the host, idle. */
export const hostTask = (): Frame<TdxHost> => new Frame(HOST_PROCEDURES, new Float64Array(TASK_WORDS), 0, 0);
