import { assert } from "../assert.ts";
import type { DynamicPamt } from "../tdx-host/dynamic-pamt.ts";
import type { TdMemory } from "../tdx-host/td-memory.ts";
import { destroyTd } from "../tdx-module/destroy-td.ts";
import type { TdxModule } from "../tdx-module/module.ts";
import { TDCS_PAGES, TDVPS_PAGES } from "../tdx-module/operands.ts";
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
