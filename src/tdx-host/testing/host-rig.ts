import { type ModuleOptions, TdxModule } from "../../tdx-module/module.ts";
import type { SysInfo } from "../../tdx-module/sys-info.ts";
import { GIB, MIB } from "../../units.ts";
import { type HostOptions, TdxHost } from "../host-kernel.ts";
import type { ByteRange, MemoryRange } from "../memory-range.ts";

export interface HostRig extends Partial<Omit<HostOptions, "module">> {
  /** Convertible memory; memory from 1 MiB on if left out. */
  readonly cmrs?: readonly ByteRange[];
  readonly sys?: Partial<SysInfo>;
  readonly features?: ModuleOptions["features"];
  readonly platform?: ModuleOptions["platform"];
}

/** 2 GiB below and 6 GiB above the hole under 4 GiB, on one node. */
export const SMALL_HOST: readonly MemoryRange[] = [
  { start: 0, end: 2 * GIB, node: 0 },
  { start: 4 * GIB, end: 10 * GIB, node: 0 },
];

/** A host and its module, neither of them initialised. */
export const hostRig = ({ cmrs, sys, features, platform, ...options }: HostRig = {}): TdxHost => {
  const memory = options.memory ?? SMALL_HOST;
  const convertible = cmrs ?? memory.map(({ start, end }) => ({ start: Math.max(start, MIB), end }));
  const module = new TdxModule({
    sys: {
      cmrs: convertible.map(({ start, end }) => ({ base: BigInt(start), size: BigInt(end - start) })),
      logicalProcessors: 4,
      packages: 2,
      ...sys,
    },
    ...(features === undefined ? {} : { features }),
    ...(platform === undefined ? {} : { platform }),
  });
  return new TdxHost({ ...options, memory, module });
};
