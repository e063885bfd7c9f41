import type { Design } from "../linux/design.ts";
import { bitmaps } from "./bitmaps/bitmaps.ts";
import { none } from "./none.ts";

/** Every design, in the order of tables and help. */
export const DESIGNS: readonly Design[] = [none, bitmaps];

export const DESIGN_NAMES: readonly string[] = DESIGNS.map((design) => design.name);

export const designNamed = (name: string): Design | undefined =>
  DESIGNS.find((design) => design.name === name);
