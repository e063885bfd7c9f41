import type { Design } from "../linux/design.ts";
import { bitmaps } from "./bitmaps/bitmaps.ts";
import { callbacks } from "./callbacks.ts";
import { none } from "./none.ts";
import { notifier, notifierStrict } from "./notifier.ts";
import { shared } from "./shared.ts";
import { snpHotplug } from "./snp-hotplug.ts";
import { tide } from "./tide/tide.ts";
import { uhp } from "./uhp.ts";
import { window } from "./window.ts";

/** Every design, in the order of tables and help. */
export const DESIGNS: readonly Design[] = [
  none,
  notifier,
  notifierStrict,
  callbacks,
  window,
  bitmaps,
  shared,
  snpHotplug,
  uhp,
  tide,
];

export const DESIGN_NAMES: readonly string[] = DESIGNS.map((design) => design.name);

export const designNamed = (name: string): Design | undefined =>
  DESIGNS.find((design) => design.name === name);
