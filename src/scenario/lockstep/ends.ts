import type { Judgement, RunReport, Verdict } from "../report.ts";
import type { Both } from "./quantity.ts";

/** How both worlds ended, in one respect. */
export interface End extends Both<string> {
  readonly name: string;
}

/** Whether an expectation was asked in part only, or not at all, in the world of a report. */
const isUnasked = ({ expectations }: RunReport, { line, column, what }: Judgement): boolean =>
  expectations.some(
    (other) =>
      other.line === line && other.column === column && other.what === what && other.unasked !== undefined,
  );

/**
 * How two worlds ended. What one of them cannot see makes no difference: neither an invariant that only the other sees
 * broken, nor an expectation that only the other was asked.
 *
 * @param seeable numbers of the invariants that both worlds can see broken; left out: all
 */
export const endsOf = (
  model: RunReport,
  linux: RunReport,
  seeable: ReadonlySet<string> | undefined,
): End[] => {
  const isSeen = ({ invariant }: { readonly invariant: string }): boolean => seeable?.has(invariant) ?? true;
  const broken = ({ violations }: RunReport): string =>
    [...new Set(violations.filter(isSeen).map(({ invariant }) => invariant))].sort().join(", ") || "none";
  const verdict = (report: RunReport, other: RunReport): Verdict => {
    if (report.violations.some((violation) => isSeen(violation) && !violation.expected)) return "broken";
    const unmet = report.expectations.some((each) => !each.held && !isUnasked(other, each));
    return unmet ? "failed" : "held";
  };
  return [
    { name: "machine", model: model.fate.state, linux: linux.fate.state },
    { name: "broken invariants", model: broken(model), linux: broken(linux) },
    { name: "verdict", model: verdict(model, linux), linux: verdict(linux, model) },
  ];
};
