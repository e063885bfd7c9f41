import type { FaultPoints } from "../../machine/faults/fault-points.ts";

/** Nanoseconds by which all answers so far were late together, as faults wanted it. */
export const lateSoFar = (points: Pick<FaultPoints, "plan" | "struck"> | undefined): number => {
  if (points === undefined) return 0;
  return points.plan.rules.reduce((sum, { lateNs }, rule) => sum + lateNs * points.struck[rule]!, 0);
};

/** What a deed does, and by how many nanoseconds its answer is to be late. */
export const withLateness = <T>(
  points: Pick<FaultPoints, "plan" | "struck"> | undefined,
  deed: () => T,
): { readonly result: T; readonly lateNs: number } => {
  const before = lateSoFar(points);
  const result = deed();
  return { result, lateNs: Math.max(0, lateSoFar(points) - before) };
};
