import { TDH } from "../abi/tdx/leaves.ts";
import { getNumber, R8, R12, R13, RAX, RCX, type Regs, setNumber } from "../abi/tdx/regs.ts";
import type { Status } from "../abi/tdx/status.ts";
import { assert } from "../assert.ts";
import type { DynamicPamt } from "../tdx-host/dynamic-pamt.ts";
import type { TdMemory } from "../tdx-host/td-memory.ts";
import { destroyTd } from "../tdx-module/destroy-td.ts";
import type { TdxModule } from "../tdx-module/module.ts";
import { TDCS_PAGES, TDVPS_PAGES } from "../tdx-module/operands.ts";
import type { SeamcallPort } from "../vmm/seam.ts";
import type { Machine } from "./machine.ts";

const PAGE = 4096;

/** A host that has brought TDX up, as one TD sees it: the module, and the memory that the TD gets. */
export interface TdHost {
  readonly module: TdxModule;
  readonly memory: TdMemory;
  /** On a host with dynamic PAMT. */
  readonly pairs?: DynamicPamt;
}

/** Pages that the control structures of a TD take at most: TD_PARAMS among them, and with dynamic PAMT a pair for each. */
export const controlPages = (vcpus: number, dynamicPamt: boolean): number =>
  (2 + TDCS_PAGES + TDVPS_PAGES * vcpus) * (dynamicPamt ? 3 : 1);

/** The host's module, and where the TD's control pages come from. The caller has seen that there are enough. */
export const moduleOf = ({ module, memory, pairs }: TdHost) => {
  const takeFrame = (): number => {
    const frame = memory.takeFrame();
    assert(frame >= 0 && pairs?.get(frame) !== false, "the host has pages for the TD's control structures");
    return frame;
  };
  return { module, takeFrame, paramsHpa: memory.takeFrame() * PAGE };
};

/** Ends the TD of a machine and gives all its memory back to the host. */
export const leaveHost = ({ config, platform, tdx }: Machine): void => {
  const { host } = config;
  assert(host !== undefined, "the machine runs on a host");
  for (let vcpu = 0; vcpu < config.vcpus; vcpu++) if (platform.isInGuest(vcpu)) platform.leave(vcpu);
  destroyTd(host.module, tdx.td, host.memory.runs());
  host.pairs?.removeAll();
  host.memory.giveAll();
};

const AUG = TDH["TDH.MEM.PAGE.AUG"];
const SEPT_ADD = TDH["TDH.MEM.SEPT.ADD"];
const DEMOTE = TDH["TDH.MEM.PAGE.DEMOTE"];
const REMOVE = TDH["TDH.MEM.PAGE.REMOVE"];
/** Number of frames that RCX of TDH.MEM.PAGE.REMOVE has on top where the pair became empty: bit 62. */
const HINT = 2 ** 50;

const frameIn = (regs: Regs, register: number): number => Math.floor(getNumber(regs, register) / PAGE);

/**
 * The VMM's SEAMCALLs on a host with dynamic PAMT: what is to become a page of TDX has its metadata before, and what was one gives
 * it back.
 *
 * Where the host has no pages for that, the call is made without, and the module refuses it; KVM would not make it.
 */
export const withPairs =
  (port: SeamcallPort, pairs: DynamicPamt, hostFrameOf: (guestFrame: number) => number): SeamcallPort =>
  (regs) => {
    const leaf = regs[2 * RAX]!;
    const level = regs[2 * RCX]! & 7;
    if (leaf === REMOVE && level === 0) {
      const result = port(regs);
      if (result === 0) pairs.put(frameIn(regs, RCX) % HINT);
      return result;
    }
    if (leaf === DEMOTE) return demote(port, pairs, regs, hostFrameOf(frameIn(regs, RCX)));
    const takes = leaf === SEPT_ADD || (leaf === AUG && level === 0);
    const frame = frameIn(regs, R8);
    if (!takes || !pairs.get(frame)) return port(regs);
    const result = port(regs);
    if (result !== 0) pairs.put(frame);
    return result;
  };

/** TDH.MEM.PAGE.DEMOTE takes a page for the table, and the pair for the pages in R12 and R13. */
const demote = (port: SeamcallPort, pairs: DynamicPamt, regs: Regs, pages: number): Status => {
  const table = frameIn(regs, R8);
  if (!pairs.get(table)) return port(regs);
  const pair = pairs.takePages();
  if (pair !== undefined) {
    setNumber(regs, R12, pair[0] * PAGE);
    setNumber(regs, R13, pair[1] * PAGE);
  }
  const result = port(regs);
  if (result === 0) pairs.noteSplit(pages);
  else {
    pairs.put(table);
    for (const frame of pair ?? []) pairs.giveFrame(frame);
  }
  return result;
};
