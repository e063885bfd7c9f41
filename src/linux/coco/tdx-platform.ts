import { hideFromDirectMap, showInDirectMap } from "../direct-map.ts";
import type { Platform } from "./platform.ts";
import { tdxAcceptMemory, tdxAcceptMemoryBit63, tdxReleaseMemory } from "./tdx-accept.ts";
import { tdxAcceptMissing } from "./tdx-accept-missing.ts";
import { tdxMapGpa } from "./tdx-convert.ts";

/** What TDX gives Linux for accepting and releasing memory. */
export const TDX_PLATFORM: Platform = {
  name: "tdx",
  reachesByMapping: false,
  accept: tdxAcceptMemory,
  acceptOrKeep: tdxAcceptMemoryBit63,
  release: tdxReleaseMemory,
  convert: tdxMapGpa,
  acceptMissing: tdxAcceptMissing,
  firmwareAccept: tdxAcceptMemory,
  earlyAccept: tdxAcceptMemory,
  hide: hideFromDirectMap,
  show: showInDirectMap,
  acceptPanic: "TDX: Failed to accept memory",
};
