import { TDH } from "../abi/tdx/leaves.ts";
import { getBig, RAX, RCX, setBig } from "../abi/tdx/regs.ts";
import { status } from "../abi/tdx/status.ts";
import type { Frame } from "../flat/procedure.ts";
import { MIB, PAGE_SIZE } from "../units.ts";
import { ERRNO } from "./errno.ts";
import { ExtensionPool } from "./extension-pool.ts";
import { HOST_KERNEL_ALLOCATION, HOST_PROCEDURES, type TdxHost } from "./host-kernel.ts";

const BLOCK_BYTES = 2 * MIB;
const LEVEL_2M = 1;
const SUCCESS = status("SUCCESS");
const INTERRUPTED = status("INTERRUPTED_RESUMABLE");

const { v, at, define } = HOST_PROCEDURES.declare("init_tdx_module_extensions", {
  args: [],
  locals: ["required", "paired"],
  steps: ["ask", "allocate", "pair", "fill-list", "add", "consumed", "start-init", "init"],
});

/**
 * The host gives the module's extensions their pages and starts them. Each SEAMCALL is a step; one that was interrupted is
 * repeated with the registers that the module left. Returns 0 or the error number.
 *
 * With dynamic PAMT each block of 2 MiB that a page lies in gets its pair first, for good as the page. No posted series has both, so
 * that is inference, and so is -ENOMEM with the pages given back where the host has none for a pair.
 *
 * @source Linux patch series "TDX Module Extensions", v1 and v2, 2026-06
 * @missing the add-on features' own initialisation (TDH.QUOTE.INIT), update of a running module
 */
export const addExtensions = define({
  ask: (host, f) => {
    if (!host.module.features.includes("EXT")) return f.returns(0);
    const pages = host.readField("MEMORY_POOL_REQUIRED_PAGES");
    const required = host.readField("EXT_REQUIRED");
    if (pages === undefined || required === undefined) return f.returns(ERRNO.EIO);
    if (required === 0) return f.returns(0);
    f.set(v.required, pages);
    return pages === 0 ? at["start-init"] : at.allocate;
  },
  allocate: (host, f) => {
    if (host.allocationFails(HOST_KERNEL_ALLOCATION.EXTENSION_POOL)) return f.returns(ERRNO.ENOMEM);
    host.pool = ExtensionPool.take(f.get(v.required), host.policy.extensionPages, host.pages);
    if (host.pool === undefined) return f.returns(ERRNO.ENOMEM);
    for (const page of host.pool.pages) host.caches.wrote(page);
    return host.limits.bitmapBits > 0 ? at.pair : at["fill-list"];
  },
  pair: (host, f) => {
    const pool = poolOf(host);
    const block = pool.blocks[f.get(v.paired)];
    if (block === undefined) return at["fill-list"];
    if (!addPair(host, block)) {
      pool.giveBack(host.pages);
      host.pool = undefined;
      return f.returns(ERRNO.ENOMEM);
    }
    f.set(v.paired, f.get(v.paired) + 1);
    return at.pair;
  },
  "fill-list": (host) => {
    const pool = poolOf(host);
    const chunk = pool.fillList();
    if (host.policy.extensionFlush) for (const page of chunk) host.caches.flush(page);
    host.module.host.write(pool.list.page * PAGE_SIZE, pool.list.content);
    setBig(host.regs, RCX, pool.list.info);
    return at.add;
  },
  add: (host, f) => {
    const pool = poolOf(host);
    const before = getBig(host.regs, RCX);
    host.regs[2 * RAX] = TDH["TDH.EXT.MEM.ADD"];
    host.regs[2 * RAX + 1] = 0;
    const result = host.repeatSeamcall();
    for (const page of pool.took(before, getBig(host.regs, RCX), result === SUCCESS)) {
      host.caches.becamePrivate(page);
    }
    if (result === INTERRUPTED) return at.add;
    if (result !== SUCCESS) return strand(host, f);
    return pool.isComplete ? at.consumed : at["fill-list"];
  },
  consumed: (host) => {
    const pool = poolOf(host);
    printConsumed(host, pool);
    pool.freeList(host.pages);
    return at["start-init"];
  },
  "start-init": (host) => {
    host.regs.fill(0);
    return at.init;
  },
  init: (host, f) => {
    host.regs[2 * RAX] = TDH["TDH.EXT.INIT"];
    host.regs[2 * RAX + 1] = 0;
    const result = host.repeatSeamcall();
    if (result === INTERRUPTED) return at.init;
    return f.returns(result === SUCCESS ? 0 : ERRNO.EFAULT);
  },
});

/** TDH.PHYMEM.PAMT.ADD for a block, by its first byte, that nothing of TDX lies in yet. */
const addPair = (host: TdxHost, block: number): boolean => {
  const [first, second] = [host.pages.takeBlock(PAGE_SIZE, 0), host.pages.takeBlock(PAGE_SIZE, 0)];
  if (second < 0) {
    if (first >= 0) host.pages.give(first, first + PAGE_SIZE);
    return false;
  }
  const result = host.seamcall("TDH.PHYMEM.PAMT.ADD", { RCX: block + LEVEL_2M, RDX: first, R8: second });
  if (result === SUCCESS) host.pairedForGood.add(block / BLOCK_BYTES);
  else for (const page of [first, second]) host.pages.give(page, page + PAGE_SIZE);
  return result === SUCCESS;
};

const poolOf = (host: TdxHost): ExtensionPool => {
  const { pool } = host;
  if (pool === undefined) throw new Error("the pool is allocated before it is given");
  return pool;
};

/** The whole amount, whether the module took it or not. */
const printConsumed = (host: TdxHost, pool: ExtensionPool): void => {
  host.log.tdx("info", `${pool.cost.bytes / 1024} KB consumed for TDX module extensions`);
};

/** The pool stays out of the allocator for good: what the module has, and what it never got. WARN() takes no prefix. */
const strand = (host: TdxHost, f: Frame<TdxHost>): number => {
  const pool = poolOf(host);
  host.log.print(
    "warning",
    `Fatal: TDX module rejected (${ERRNO.EFAULT}) memory for extensions, stranded all pages`,
  );
  printConsumed(host, pool);
  pool.freeList(host.pages);
  return f.returns(ERRNO.EFAULT);
};
