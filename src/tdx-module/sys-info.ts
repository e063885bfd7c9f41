import type { Region } from "../abi/tdx/tdmr-info.ts";

/**
 * What a module that nobody has initialised yet knows of its platform: the convertible memory that the firmware's check
 * (MCHECK) found, the processors that must join, and the memory that its extensions want.
 */
export interface SysInfo {
  /** Convertible memory ranges, up to 32, as the firmware left them: TDH.SYS.INIT checks them. */
  readonly cmrs: readonly Region[];
  /** Logical processors, numbered package by package; each must make TDH.SYS.LP.INIT. */
  readonly logicalProcessors: number;
  /** Packages, up to 32; each must make TDH.SYS.KEY.CONFIG. It divides the number of logical processors. */
  readonly packages: number;
  /** MAX_TDMRS and MAX_RESERVED_PER_TDMR, if not 64 and 16. */
  readonly maxTdmrs?: number;
  readonly maxReserved?: number;
  /**
   * Whether TDH.SYS.RD answers before the module is ready. Early modules refuse it with SYS_NOT_READY: a host with the build of
   * 2023-02-06 failed so. True if left out.
   */
  readonly readsEarly?: boolean;
  /** 4 KiB pages that the extensions want once an add-on feature is chosen in TDH.SYS.CONFIG; 0 if left out. */
  readonly extensionPages?: number;
}

/** A module that starts initialised has had one processor on one package. */
export const READY_PLATFORM: SysInfo = { cmrs: [], logicalProcessors: 1, packages: 1 };
