import type { TraceEvent } from "../world.ts";

/** One machine step as a line of JSON. `line` is the line of the scenario it was done for, 0 if none. */
export const traceLine = (event: TraceEvent, line: number): string => {
  const { step, ns, actor, vcpu, what, start, end, status, stateAfter, count = 1 } = event;
  return `${JSON.stringify({ step, ns, actor, vcpu, what, start, end, status, stateAfter, count, line })}\n`;
};
