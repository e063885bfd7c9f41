import type { TdxFeature } from "../abi/tdx/td-controls.ts";
import { assert } from "../assert.ts";
import { type Flat, flatSize, loadFlat, saveFlat } from "../flat/flat-range.ts";
import { GIB, roundDown } from "../units.ts";
import { DEFAULT_BEHAVIOUR, type ModuleBehaviour } from "./behaviour.ts";
import { Faults } from "./faults.ts";
import { type HostMemory, SparseHostMemory } from "./host-memory.ts";
import { KeyTable, type Platform } from "./key-table.ts";
import { FrameLocks } from "./locks.ts";
import { type PageStore, TagStore } from "./page-store.ts";
import { Pamt } from "./pamt.ts";
import { PamtPairs } from "./pamt-pairs.ts";
import { READY_PLATFORM, type SysInfo } from "./sys-info.ts";
import { SYS_STATE, SysState, TDMR_UNIT } from "./sys-state.ts";
import { Td } from "./td.ts";
import type { Tdmr } from "./tdmr.ts";

export interface ModuleOptions {
  /** Makes a module that is configured and ready. */
  readonly tdmrs?: readonly Tdmr[];
  /** Without `tdmrs`: makes a module that nobody has initialised yet, on this platform. */
  readonly sys?: SysInfo;
  readonly behaviour?: Partial<ModuleBehaviour>;
  readonly pages?: PageStore;
  readonly host?: HostMemory;
  readonly platform?: Partial<Platform>;
  /** TDs that can exist at once. */
  readonly maxTds?: number;
  /** What the module says of itself: 1.5 and the features of `MODELLED_FEATURES` by default. */
  readonly version?: { readonly major: number; readonly minor: number };
  readonly features?: readonly TdxFeature[];
}

/** Features that this model has, or that do not show in it. */
export const MODELLED_FEATURES: readonly TdxFeature[] = [
  "NO_RBP_MOD",
  "TOPOLOGY_ENUM",
  "PENDING_EPT_VIOLATION_V2",
  "MAXPA_VIRT",
  "CPUID2_VIRT",
  "VE_REDUCTION",
  "MAXGPA_VIRT",
  "PAGE_RELEASE",
  "VE_INFO_INTR_STATE",
  "ENHANCED_DEMOTE_INTERRUPTIBILITY",
];

const DEFAULT_PLATFORM: Platform = { maxPa: 52, hkidBits: 6, firstPrivateHkid: 32 };

/**
 * A TDX module: ready, with TDMRs initialised and the global key set, or as it is loaded, for a host to initialise.
 *
 * @missing shutdown and update; keys of TDs on several packages
 */
export class TdxModule {
  readonly behaviour: ModuleBehaviour;
  readonly platform: Platform;
  /** Fixed on a module that starts ready; TDH.SYS.CONFIG makes it otherwise. */
  pamt: Pamt;
  /** Of a module with dynamic PAMT, once it is configured. */
  pairs: PamtPairs | undefined;
  readonly sysInfo: SysInfo;
  readonly sys: SysState;
  /** Whether every leaf may run. It follows `sys.state`. */
  ready: boolean;
  /** Number of the logical processor that makes the next SEAMCALL. */
  lp = 0;
  readonly pages: PageStore;
  readonly faults = new Faults();
  readonly frameLocks = new FrameLocks();
  /** Key ids in use. */
  readonly keys: KeyTable;
  readonly host: HostMemory;
  readonly tds: readonly Td[];
  /** Of the SEAMCALL in progress: TD, vCPU, host frame operand. Meaningless between calls. */
  td: Td;
  vcpu = 0;
  frame = 0;
  /** `hpaHi >>> hpaShift` is zero for a host address without key id and below MAXPA. */
  readonly hpaShift: number;
  readonly version: { readonly major: number; readonly minor: number };
  readonly features: readonly TdxFeature[];
  private readonly startsReady: boolean;

  constructor(options: ModuleOptions) {
    this.behaviour = { ...DEFAULT_BEHAVIOUR, ...options.behaviour };
    this.platform = { ...DEFAULT_PLATFORM, ...options.platform };
    const startsReady = options.tdmrs !== undefined;
    assert(
      startsReady !== (options.sys !== undefined),
      "a module has TDMRs or a platform to be initialised on",
    );
    this.startsReady = startsReady;
    this.sysInfo = options.sys ?? READY_PLATFORM;
    this.sys = new SysState(this.sysInfo, startsReady ? 0 : undefined);
    this.ready = startsReady;
    if (startsReady) this.startReady();
    this.pamt = new Pamt(options.tdmrs ?? [], startsReady);
    this.pages = options.pages ?? new TagStore();
    this.host = options.host ?? new SparseHostMemory();
    this.keys = new KeyTable(this.platform);
    this.version = options.version ?? { major: 1, minor: 5 };
    this.features = options.features ?? MODELLED_FEATURES;
    const maxTds = options.maxTds ?? 4;
    this.tds = Array.from({ length: maxTds }, (_, number) => new Td(number));
    this.td = this.tds[0]!;
    this.hpaShift = this.platform.maxPa - this.platform.hkidBits - 32;
    assert(0 <= this.hpaShift && this.hpaShift <= 20, "a host address has 32 to 52 bits beside the key id");
  }

  private startReady(): void {
    this.sys.state = SYS_STATE.READY;
    this.sys.lpDone(0);
  }

  /** Makes the metadata and `ready` follow the module's global state. */
  followSys(): void {
    this.ready = this.sys.state === SYS_STATE.READY;
    const tdmrs = this.sys.tdmrs();
    this.pamt = new Pamt(tdmrs, tdmrs.length > 0);
    this.pairs = this.sys.dynamicPamt ? new PamtPairs(this.pamt.tdmrs.firstFrame) : undefined;
    tdmrs.forEach(({ base, size }, index) => {
      const ready = roundDown(this.sys.nextOf(index) * TDMR_UNIT, GIB);
      this.pamt.tdmrs.setReady(base, base + size, ready);
    });
  }

  /** First byte that no host address without a key id names. */
  get hpaEnd(): bigint {
    return 1n << BigInt(this.hpaShift + 32);
  }

  /** The TD of that number; asserts that it exists. */
  tdAt(number: number): Td {
    const td = this.tds[number];
    assert(td?.isAlive === true, () => `TD ${number} exists`);
    return td;
  }

  private parts(): Flat[] {
    const parts: Flat[] = [this.faults, this.frameLocks, this.keys, this.pamt];
    if (this.pairs !== undefined) parts.push(this.pairs);
    if (this.pages instanceof TagStore) parts.push(this.pages.tags);
    for (const td of this.tds) parts.push(td);
    return parts;
  }

  /** Bytes that `save` needs now. */
  snapshotSize(): number {
    let size = this.startsReady ? 0 : flatSize(this.sys);
    for (const part of this.parts()) size += flatSize(part);
    for (const td of this.tds) if (td.isAlive) size += flatSize(td.sept);
    return size;
  }

  /** Copies the whole state into `to` from `offset` on; answers the offset behind it. */
  saveInto(to: Uint8Array, offset = 0): number {
    let at = offset;
    if (!this.startsReady) at = saveFlat(this.sys, to, at);
    for (const part of this.parts()) at = saveFlat(part, to, at);
    for (const td of this.tds) if (td.isAlive) at = saveFlat(td.sept, to, at);
    return at;
  }

  save(): Uint8Array {
    const bytes = new Uint8Array(this.snapshotSize());
    this.saveInto(bytes);
    return bytes;
  }

  /** Restores a state that `save` copied from a module of the same configuration. */
  load(from: Uint8Array, offset = 0): number {
    let at = offset;
    if (!this.startsReady) at = loadFlat(this.sys, from, at);
    if (!this.startsReady) this.followSys();
    for (const part of this.parts()) at = loadFlat(part, from, at);
    for (const td of this.tds) if (td.isAlive) at = loadFlat(td.sept, from, at);
    return at;
  }
}
