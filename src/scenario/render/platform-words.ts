import type { Cost } from "../world.ts";

/** What exits are called. */
export const exitsName = (platform: string): string => (platform === "snp" ? "VM exits" : "TD exits");

/** Calls that accept a page, on whatever platform. */
export const acceptCalls = ({ tdcalls }: Pick<Cost, "tdcalls">): number =>
  (tdcalls["TDG.MEM.PAGE.ACCEPT"] ?? 0) + (tdcalls["PVALIDATE"] ?? 0);

/** Calls that give one back. */
export const releaseCalls = ({ tdcalls }: Pick<Cost, "tdcalls">): number =>
  (tdcalls["TDG.MEM.PAGE.RELEASE"] ?? 0) + (tdcalls["PVALIDATE rescind"] ?? 0);
