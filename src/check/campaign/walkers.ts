import { Prng } from "../../machine/prng.ts";
import type { Walker } from "../random-walks.ts";

/** How a walk decides who goes next: by chance, or by priorities that change some times. */
export const walkersOf = (seed: number): readonly Walker[] => [
  { kind: "uniform" },
  { kind: "pct", changes: 1 + new Prng(seed).below(4) },
];
