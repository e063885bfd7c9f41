import { TDH } from "../abi/tdx/leaves.ts";
import { getNumber, RAX, RCX, RDX, setNumber } from "../abi/tdx/regs.ts";
import { type Status, status, statusFromRegs } from "../abi/tdx/status.ts";
import { SYS_CONFIG_OPTIONS } from "../abi/tdx/sys-config.ts";
import { encodeTdmrInfo, TDMR_INFO_BYTES } from "../abi/tdx/tdmr-info.ts";
import type { Frame, Next } from "../flat/procedure.ts";
import { seamcallsUpTo } from "../tdx-module/seamcall.ts";
import { PAGE_SIZE } from "../units.ts";
import { ERRNO } from "./errno.ts";
import { addExtensions } from "./extension-procedures.ts";
import { HOST_KERNEL_ALLOCATION, HOST_PROCEDURES, HOST_WORD, hostTask, type TdxHost } from "./host-kernel.ts";
import { readSysInfo } from "./sys-info.ts";
import { fillTdmrs, freePamts, reserveAreas, setUpPamts, tdmrInfoOf, tdxMemlist } from "./tdmr-list.ts";

const SUCCESS = status("SUCCESS");
const TDMR_INIT = TDH["TDH.SYS.TDMR.INIT"];
/** Pages for 64 TDMR_INFO, which the kernel keeps. The array of their addresses takes one more, for the call only. */
const INFO_PAGES = 8;

const { v, at, define } = HOST_PROCEDURES.declare("tdx_enable", {
  args: [],
  locals: ["lp", "tdmr", "error"],
  steps: [
    "detect",
    "sys-init",
    "lp-init",
    "metadata",
    "construct-tdmrs",
    "config",
    "flush-caches",
    "key-config",
    "tdmr-init",
    "extensions",
    "after-extensions",
    "fail",
    "give-up",
  ],
});

/**
 * The host brings the module up: TDH.SYS.INIT, LP.INIT on each processor, metadata, TDMRs, CONFIG, KEY.CONFIG on each package,
 * TDMR.INIT of each TDMR, then the extensions. Each SEAMCALL is a step, TDH.SYS.TDMR.INIT as many as
 * HOST_WORD.CALLS_PER_STEP says. Returns 0 or the error number.
 *
 * @source Linux arch/x86/virt/vmx/tdx/tdx.c, 6.12 to 7.3; extensions from the patch series of 2026-06
 * @missing processors that come online later, retries for lack of entropy, the reset of tables on CPUs with the partial-write
 *   erratum
 */
export const enableTdx = define({
  detect: (host, f) => {
    const { firstPrivateHkid, hkidBits } = host.module.platform;
    host.log.tdx("info", `BIOS enabled: private KeyID range [${firstPrivateHkid}, ${2 ** hkidBits})`);
    if (2 ** hkidBits - firstPrivateHkid < 2) {
      host.log.tdx("err", "initialization failed: too few private KeyIDs available.");
      if (host.policy.kernel !== "6.12") host.log.tdx("err", "TDX not supported by the host platform");
      return giveUp(f, ERRNO.ENODEV);
    }
    host.log.tdx("info", "Disable ACPI S3. Turn off TDX in the BIOS to use ACPI S3.");
    return at["sys-init"];
  },
  "sys-init": (host, f) => callOrGiveUp(host, f, "TDH.SYS.INIT", 0, at["lp-init"]),
  "lp-init": (host, f) => {
    const lp = f.get(v.lp);
    const last = lp + 1 === host.module.sys.logicalProcessors;
    f.set(v.lp, last ? 0 : lp + 1);
    return callOrGiveUp(host, f, "TDH.SYS.LP.INIT", lp, last ? at.metadata : at["lp-init"]);
  },
  metadata: (host, f) => failOr(f, readSysInfo(host), at["construct-tdmrs"]),
  "construct-tdmrs": (host, f) => failOr(f, constructTdmrs(host), at.config),
  config: (host, f) => failOr(f, configModule(host), at["flush-caches"]),
  "flush-caches": (host) => {
    host.caches.flushAll();
    return at["key-config"];
  },
  "key-config": (host, f) => {
    const { logicalProcessors, packages } = host.module.sysInfo;
    const lp = f.get(v.lp);
    const next = lp + logicalProcessors / packages;
    f.set(v.lp, next);
    const result = host.seamcall("TDH.SYS.KEY.CONFIG", {}, lp);
    if (result === SUCCESS) return next === logicalProcessors ? at["tdmr-init"] : at["key-config"];
    host.printSeamcallError("TDH.SYS.KEY.CONFIG", result);
    return failOr(f, ERRNO.EIO, at.fail);
  },
  "tdmr-init": (host, f) => {
    const tdmr = host.tdmrs[f.get(v.tdmr)];
    if (tdmr === undefined) return at.extensions;
    const end = tdmrInit(host, tdmr);
    if (end < 0) return failOr(f, end, at.fail);
    if (end >= tdmr.end) f.set(v.tdmr, f.get(v.tdmr) + 1);
    return at["tdmr-init"];
  },
  extensions: (_host, f) => f.call(addExtensions, at["after-extensions"]),
  "after-extensions": (host, f) => {
    if (f.result !== 0) return failOr(f, f.result, at.fail);
    host.log.tdx("info", `${host.pamtBytes / 1024} KB allocated for PAMT`);
    host.log.tdx("info", host.policy.kernel === "6.12" ? "module initialized" : "TDX-Module initialized");
    host.state = "initialized";
    return f.returns(0);
  },
  fail: (host, f) => {
    const error = f.get(v.error);
    freePamts(host.tdmrs, host.pages);
    if (host.infoPages >= 0) host.pages.give(host.infoPages, host.infoPages + INFO_PAGES * PAGE_SIZE);
    host.infoPages = -1;
    host.tdmrs = [];
    host.memlist = [];
    const what = host.policy.kernel === "6.12" ? "module" : "TDX-Module";
    host.log.tdx("err", `${what} initialization failed (${error})`);
    return at["give-up"];
  },
  "give-up": (host, f) => {
    host.state = "error";
    host.words[HOST_WORD.ERROR] = f.get(v.error);
    return f.returns(f.get(v.error));
  },
});

type Task = Frame<TdxHost>;

const failOr = (f: Task, error: number, next: Next): Next => {
  if (error === 0) return next;
  f.set(v.error, error);
  return at.fail;
};

/** What fails before the module has anything: the kernel says no more than which call it was. */
const giveUp = (f: Task, error: number): Next => {
  f.set(v.error, error);
  return at["give-up"];
};

const callOrGiveUp = (
  host: TdxHost,
  f: Task,
  leaf: "TDH.SYS.INIT" | "TDH.SYS.LP.INIT",
  lp: number,
  next: Next,
): Next => {
  const result = host.seamcall(leaf, {}, lp);
  if (result === SUCCESS) return next;
  host.printSeamcallError(leaf, result);
  return giveUp(f, ERRNO.EIO);
};

/** construct_tdmrs() and what goes before it. 0 or the error, after which nothing is kept. */
const constructTdmrs = (host: TdxHost): number => {
  const all = [...host.memory, ...host.hotAdded, ...host.secureWindows].sort((a, b) => a.start - b.start);
  host.memlist = tdxMemlist(all);
  const spans = fillTdmrs(host.memlist, host.limits, host.log);
  if (typeof spans === "number") return spans;
  const noPamt = (): boolean => host.allocationFails(HOST_KERNEL_ALLOCATION.PAMT);
  const built = setUpPamts(spans, host.memlist, host.limits, host.pages, noPamt);
  if (typeof built === "number") return built;
  const usable = host.policy.holes === "memory" ? host.memlist : host.cmrs;
  const reserved = reserveAreas(built, usable, host.limits, host.log);
  host.tdmrs = typeof reserved === "number" ? built : reserved;
  return typeof reserved === "number" ? reserved : 0;
};

/** config_tdx_module(). */
const configModule = (host: TdxHost): number => {
  if (host.allocationFails(HOST_KERNEL_ALLOCATION.TDMR_INFO)) return ERRNO.ENOMEM;
  const base = host.pages.takeContiguous(INFO_PAGES, 0);
  if (base < 0) return ERRNO.ENOMEM;
  host.infoPages = base;
  const array = host.pages.takeContiguous(1, 0);
  if (array < 0) return ERRNO.ENOMEM;
  const pointers = new DataView(new ArrayBuffer(8 * host.tdmrs.length));
  host.tdmrs.forEach((tdmr, i) => {
    host.module.host.write(base + i * TDMR_INFO_BYTES, encodeTdmrInfo(tdmrInfoOf(tdmr)));
    pointers.setBigUint64(8 * i, BigInt(base + i * TDMR_INFO_BYTES), true);
  });
  host.module.host.write(array, new Uint8Array(pointers.buffer));
  if (host.limits.bitmapBits > 0) host.log.tdx("info", "Enable Dynamic PAMT");
  const version = host.addOnFeatures === 0n ? 0 : 1;
  const operands = {
    RCX: array,
    RDX: host.tdmrs.length,
    R8: SYS_CONFIG_OPTIONS.encode({
      hkid: BigInt(host.module.platform.firstPrivateHkid),
      dynamicPamt: host.limits.bitmapBits > 0 ? 1n : 0n,
    }),
    R9: host.addOnFeatures,
  };
  const result = host.seamcall("TDH.SYS.CONFIG", operands, 0, version);
  host.pages.give(array, array + PAGE_SIZE);
  if (result === SUCCESS) return 0;
  host.printSeamcallError("TDH.SYS.CONFIG", result, version);
  return ERRNO.EIO;
};

/** Calls of TDH.SYS.TDMR.INIT. The address up to which the TDMR is usable, or the error. */
const tdmrInit = (host: TdxHost, { start, end }: { start: number; end: number }): number => {
  const { module, regs } = host;
  const most = host.words[HOST_WORD.CALLS_PER_STEP]!;
  module.lp = 0;
  regs.fill(0);
  setNumber(regs, RCX, start);
  const result = host.countsCalls("TDH.SYS.TDMR.INIT") ? countedCall(host) : manyCalls(host, end, most);
  if (result === SUCCESS) return getNumber(regs, RDX);
  host.printSeamcallError("TDH.SYS.TDMR.INIT", result);
  host.printRegisters();
  return ERRNO.EIO;
};

const countedCall = (host: TdxHost): Status => {
  host.regs[2 * RAX] = TDMR_INIT;
  return host.repeatSeamcall();
};

/** A host of terabytes makes millions of these calls, so nothing is done between them. */
const manyCalls = (host: TdxHost, end: number, most: number): Status => {
  const { module, regs } = host;
  regs[2 * RAX] = TDMR_INIT;
  const calls = seamcallsUpTo(module, regs, most, end);
  const result = statusFromRegs(regs) ?? SUCCESS;
  host.words[HOST_WORD.SEAMCALLS]! += calls;
  host.onSeamcall(TDMR_INIT, result, calls);
  return result;
};

/** Brings the module up at once. @returns 0 or the error number */
export const enableTdxNow = (host: TdxHost): number => {
  const task = hostTask();
  task.start(enableTdx);
  while (!task.idle) task.step(host);
  return task.result;
};
