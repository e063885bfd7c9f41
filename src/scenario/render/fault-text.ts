import { formatDuration } from "../quantity.ts";
import type { FaultRecord } from "../world.ts";

/** Whether a reader wants to know of it: it was asked for, or it was drawn and struck. */
export const isTold = ({ at, struck }: FaultRecord): boolean => at !== null || struck > 0;

/** What a fault was and what became of it, as one line. */
export const faultText = (fault: FaultRecord): string => {
  const { call, at, answer, lateNs, struck, seen, firstStep, lastStep } = fault;
  const which = at === null ? "drawn" : `at ${at}`;
  const late = lateNs === 0 ? "" : `${answer === "late" ? "" : " and"} late by ${formatDuration(lateNs)}`;
  const what = answer === "late" ? late : ` answers ${answer}${late}`;
  const steps = firstStep === lastStep ? `step ${firstStep}` : `steps ${firstStep} to ${lastStep}`;
  const outcome = struck === 0 ? `never struck in ${seen} calls` : `struck ${struck} of ${seen}, ${steps}`;
  return `${call} ${which}${what}: ${outcome}`;
};
