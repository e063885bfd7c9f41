import { tdhName } from "../abi/tdx/leaves.ts";
import { statusText } from "../abi/tdx/status.ts";
import type { TdxFeature } from "../abi/tdx/td-controls.ts";
import { TDX_FEATURES0_BITS } from "../abi/tdx/td-controls.ts";
import { tryControlPages } from "../tdx-host/control-pages.ts";
import { DynamicPamt } from "../tdx-host/dynamic-pamt.ts";
import { ERRNO, errnoText, SHELL_TEXT } from "../tdx-host/errno.ts";
import { GuestMemfdPages } from "../tdx-host/guest-memfd-pages.ts";
import {
  HOST_WORD,
  type HostFaults,
  type HostPolicy,
  type RefusedSeamcall,
  TdxHost,
} from "../tdx-host/host-kernel.ts";
import { enableTdxNow } from "../tdx-host/init-module.ts";
import { HostMemoryHotplug } from "../tdx-host/memory-hotplug.ts";
import type { ByteRange, MemoryRange } from "../tdx-host/memory-range.ts";
import { TdMemory } from "../tdx-host/td-memory.ts";
import { MODELLED_FEATURES, TdxModule } from "../tdx-module/module.ts";
import { SYS_WORD } from "../tdx-module/sys-state.ts";
import { PAGE_SIZE } from "../units.ts";
import { controlPages, type TdHost } from "./td-host.ts";

/** The host that a scenario describes. */
export interface HostConfig {
  readonly memory: readonly MemoryRange[];
  readonly convertible: readonly ByteRange[];
  readonly policy: Pick<HostPolicy, "kernel" | "holes" | "hotplugCheck" | "dynamicPamt">;
  readonly processors: number;
  readonly packages: number;
  readonly blockSize: number;
  readonly maxTdmrs: number;
  readonly maxReserved: number;
  /** First private key id, and the one behind the last: a power of two. */
  readonly keyIds: { readonly first: number; readonly end: number };
  readonly readsEarly: boolean;
  readonly secureWindows: readonly MemoryRange[];
  readonly extensions: HostExtensions | null;
  readonly refused: readonly RefusedSeamcall[];
}

export interface HostExtensions {
  /** 4 KiB pages that the module asks for. */
  readonly pages: number;
  readonly from: HostPolicy["extensionPages"];
  readonly flush: boolean;
  /** Whether the platform needs that flush. */
  readonly mustFlush: boolean;
  /** An interrupt comes after so many pages of a call; 0: never. */
  readonly interruptEvery: number;
}

/** Something that happened on the host, for a transcript. `start` equals `end` where it is about no memory. */
export interface HostEvent {
  readonly actor: "host" | "host-log" | "tdx-module";
  readonly what: string;
  readonly start: number;
  readonly end: number;
  readonly status: string;
  readonly count: number;
}

/** What is known of the host now. Sizes in bytes. */
export interface HostFacts {
  readonly state: TdxHost["state"];
  readonly log: readonly string[];
  readonly seamcalls: number;
  readonly tdmrs: number;
  /** Reserved areas of the TDMR that has most. */
  readonly reserved: number;
  readonly pamt: number;
  /** Lines that the last deed left in the log, and writes to /sys that it saw refused. */
  readonly messages: number;
  readonly refused: number;
  readonly online: number;
  readonly offline: number;
  readonly devdax: number;
  /** Of the range that was added last: how much of it firmware calls convertible. */
  readonly convertible: number;
  readonly private: number;
  readonly shared: number;
  readonly free: number;
  readonly poolPages: number;
  readonly poolGiven: number;
  readonly spoiledBlocks: number;
  readonly corrupted: number;
}

const CALLS_PER_STEP = 2 ** 16;

const moduleOf = (config: HostConfig): TdxModule => {
  const { extensions, keyIds, policy } = config;
  const features: TdxFeature[] = [...MODELLED_FEATURES];
  if (policy.dynamicPamt) features.push("DYNAMIC_PAMT");
  if (extensions !== null) features.push("EXT", "QUOTE");
  if (extensions?.mustFlush === true) features.push("CLFLUSH_BEFORE_ALLOC");
  return new TdxModule({
    sys: {
      cmrs: config.convertible.map(({ start, end }) => ({ base: BigInt(start), size: BigInt(end - start) })),
      logicalProcessors: config.processors,
      packages: config.packages,
      maxTdmrs: config.maxTdmrs,
      maxReserved: config.maxReserved,
      readsEarly: config.readsEarly,
      extensionPages: extensions?.pages ?? 0,
    },
    features,
    platform: { hkidBits: Math.log2(keyIds.end), firstPrivateHkid: keyIds.first },
  });
};

/**
 * The host as an actor of its own beside the machine: it brings TDX up, takes memory, and gives memory to TDs, the machine's among
 * them.
 *
 * @missing virtual time of what the host does
 */
export class HostActor {
  private readonly host: TdxHost;
  private readonly hotplug: HostMemoryHotplug;
  private readonly memfd: GuestMemfdPages;
  private readonly tdMemory: TdMemory;
  private convertible = 0;
  private refusedWrites = 0;
  private linesBefore = 0;
  private readonly firstKeyId: number;
  /** The SEAMCALL for which the last TD was not built. */
  refusedCall = "";

  constructor(config: HostConfig, tell: (event: HostEvent) => void, faults?: HostFaults) {
    const { extensions } = config;
    this.firstKeyId = config.keyIds.first;
    this.host = new TdxHost({
      memory: config.memory,
      module: moduleOf(config),
      policy: {
        ...config.policy,
        ...(extensions === null ? {} : { extensionPages: extensions.from, extensionFlush: extensions.flush }),
      },
      secureWindows: config.secureWindows,
      addOnFeatures: extensions === null ? 0n : 1n << BigInt(TDX_FEATURES0_BITS.QUOTE),
      refused: config.refused,
      ...(faults === undefined ? {} : { faults }),
    });
    this.host.words[HOST_WORD.CALLS_PER_STEP] = CALLS_PER_STEP;
    this.host.module.sys.words[SYS_WORD.INTERRUPT_EVERY] = extensions?.interruptEvery ?? 0;
    this.hotplug = new HostMemoryHotplug(this.host, config.blockSize);
    this.memfd = new GuestMemfdPages(this.host);
    this.tdMemory = new TdMemory(this.host.pages);
    const event = { start: 0, end: 0, status: "", count: 1 };
    this.host.onSeamcall = (leaf, status, count) => {
      tell({ ...event, actor: "tdx-module", what: tdhName(leaf), status: statusText(status), count });
    };
    this.host.log.onPrint = ({ text, level }) => {
      if (level !== "debug") tell({ ...event, actor: "host-log", what: text });
    };
    this.tell = tell;
  }
  private readonly tell: (event: HostEvent) => void;

  private begin(): void {
    this.refusedWrites = 0;
    this.linesBefore = this.host.log.dmesg().length;
  }

  /** Brings TDX up. @returns 0 or the error number; -EINVAL when that was tried before, as the kernel answers */
  enable(): number {
    this.begin();
    if (this.host.state !== "uninitialized") return this.host.state === "error" ? ERRNO.EINVAL : 0;
    return enableTdxNow(this.host);
  }

  /** A driver hands memory to Linux. */
  hotAdd(range: MemoryRange): number {
    this.begin();
    const { error, convertible } = this.hotplug.hotAdd(range);
    this.convertible = convertible;
    this.tell({
      actor: "host",
      what: "add memory",
      start: range.start,
      end: range.end,
      status: error === 0 ? "SUCCESS" : errnoText(error),
      count: 1,
    });
    return error;
  }

  /** `echo 1 > online` for blocks `first` to `last`. @returns 0 or the first error */
  online(first: number, last: number): number {
    this.begin();
    const size = this.hotplug.blockSize;
    let firstError = 0;
    let run = { error: 0, from: first };
    for (let block = first; block <= last + 1; block++) {
      const error = block > last ? Number.NaN : this.hotplug.online(block);
      if (block === first) run = { error, from: first };
      if (error < 0) {
        this.refusedWrites++;
        if (firstError === 0) firstError = error;
      }
      if (error === run.error) continue;
      this.tellWrites(run.error, run.from * size, block * size, block - run.from);
      run = { error, from: block };
    }
    return firstError;
  }

  private tellWrites(error: number, start: number, end: number, count: number): void {
    const status = error === 0 ? "SUCCESS" : errnoText(error);
    this.tell({ actor: "host", what: "echo 1 > memoryN/online", start, end, status, count });
  }

  /** guest_memfd allocates a TD's private memory. @returns 0 or the error number */
  privateMemory(bytes: number): number {
    this.begin();
    const error = this.memfd.allocate(bytes);
    const status = error === 0 ? "SUCCESS" : errnoText(error);
    this.tell({ actor: "host", what: "guest_memfd allocates", start: 0, end: 0, status, count: 1 });
    return error;
  }

  /**
   * The machine's TD is to start here.
   *
   * @returns what it runs on, or the error of KVM: -EINVAL while the module is not ready, -ENOMEM without pages for its control
   *   structures, -EIO if the module has no metadata for them
   */
  lend(vcpus: number): TdHost | number {
    this.begin();
    const { module, pages, pairedForGood, state } = this.host;
    const memory = this.tdMemory;
    if (state !== "initialized") return ERRNO.EINVAL;
    const isDynamic = module.pairs !== undefined;
    const needed = controlPages(vcpus, isDynamic);
    if (pages.freeBytes < needed * PAGE_SIZE) return ERRNO.ENOMEM;
    const { leaf, status } = tryControlPages(this.host, memory, needed, this.firstKeyId);
    this.refusedCall = status === 0 ? "" : `${leaf} answers ${statusText(status)}`;
    if (status !== 0) return ERRNO.EIO;
    if (!isDynamic) return { module, memory };
    return { module, memory, pairs: new DynamicPamt(module, memory, pairedForGood) };
  }

  /** What the user reads of an error: what the shell says of a refused write, or the last line of the log. */
  detailOf(error: number): string {
    const lines = this.host.log.dmesg();
    if (lines.length > this.linesBefore) return lines.at(-1) ?? "";
    const said = SHELL_TEXT.get(error);
    return this.refusedWrites > 0 && said !== undefined ? `write error: ${said}` : "";
  }

  facts(): HostFacts {
    const { host, hotplug } = this;
    const log = host.log.dmesg();
    const online = hotplug.added.filter((block) => block.online).length;
    return {
      state: host.state,
      log,
      seamcalls: host.words[HOST_WORD.SEAMCALLS]!,
      tdmrs: host.tdmrs.length,
      reserved: Math.max(0, ...host.tdmrs.map(({ reserved }) => reserved.length)),
      pamt: host.pamtBytes,
      messages: log.length - this.linesBefore,
      refused: this.refusedWrites,
      online,
      offline: hotplug.added.length - online,
      devdax: hotplug.devdaxBytes,
      convertible: this.convertible,
      private: this.memfd.privateBytes + this.tdMemory.bytes,
      shared: this.tdMemory.sharedBytes,
      free: host.pages.freeBytes,
      poolPages: host.pool?.pages.length ?? 0,
      poolGiven: host.pool?.given ?? 0,
      spoiledBlocks: host.pool?.cost.spoiledBlocks ?? 0,
      corrupted: host.caches.corrupted.length,
    };
  }
}
