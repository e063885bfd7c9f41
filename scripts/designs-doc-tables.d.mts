import type { DesignComparison } from "../src/scenario/design-comparison.ts";

/** One run of `tidemark compare`: a bundled scenario, values set over its own, and the designs; none: all. */
export interface Comparison {
  readonly scenario: string;
  readonly set: readonly string[];
  readonly designs: readonly string[];
}
export const DESIGNS_PATH: string;
export const keyOf: (comparison: Comparison) => string;
export const comparisons: () => Comparison[];
/** The document with every generated part made anew from the results, by the keys of the comparisons. */
export const designsDocument: (
  text: string,
  results: ReadonlyMap<string, Pick<DesignComparison, "designs">>,
) => string;
