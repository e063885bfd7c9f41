import type { Design } from "../linux/design.ts";

/**
 * The first two patches of RFC v2 alone: the table covers the hot-pluggable ranges of the SRAT, all unaccepted, and
 * the kernel does with them what it does with boot memory. Nothing knows what is plugged, and nothing is given back.
 *
 * Known holes: the guard of the last plugged unit is accepted although the VMM never plugged it, and memory that was
 * unplugged comes back with bits that say it is accepted.
 *
 * @source RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", 2026-06-23, patches 1 and 2
 */
export const window: Design = {
  name: "window",
  title: "RFC v2's first two patches: the table covers hot-pluggable memory, nothing more",
  tableVersion: 1,
  stubScansSrat: true,
  hooks: {},
};
