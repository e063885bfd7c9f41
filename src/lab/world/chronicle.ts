import type { TraceEvent as MachineEvent } from "../../machine/trace.ts";
import type { TraceEvent, Violation } from "../../scenario/world.ts";
import type { LabViolation } from "../enforce/violation.ts";

/** What a violation is in a transcript. */
const DEEDS: { readonly [invariant: string]: readonly [what: string, status: string] } = {
  I1: ["access", "EPT_VIOLATION"],
  I2: ["accept of unplugged memory", "VIOLATION"],
  I3: ["accept of accepted memory", "VIOLATION"],
  I40: ["kexec with shared memory", "VIOLATION"],
  I41: ["kexec into unaccepted memory", "VIOLATION"],
};
const OTHER = ["violation", "VIOLATION"] as const;

const reasonOf = ({ why, place }: LabViolation): string => {
  const trail =
    place === undefined || place.backtrace.length === 0 ? "" : ` (${place.backtrace.join(" < ")})`;
  return `${why}${trail}`;
};

/** What happened in a linux world so far, step by step, over all the guests that it had. */
export class Chronicle {
  listener: (event: TraceEvent) => void = () => {};
  readonly violations: Violation[] = [];
  private readonly now: () => number;
  private readonly told = new Set<LabViolation>();
  private steps = 0;
  /** Steps of faults, by the machine's number of the step. */
  private readonly faults = new Map<number, number>();

  /** @param now nanoseconds since power-on */
  constructor(now: () => number) {
    this.now = now;
  }

  /** A step of our module or VMM. */
  hear({ step, vcpu, what, start, end, status, after, actor }: MachineEvent): void {
    // The module serves the guest's calls on whatever task of ours ran last.
    const who = what.startsWith("TDG.") ? `vcpu${vcpu}` : actor;
    const place = start === end ? undefined : { start, end };
    this.emit(who, vcpu < 0 ? null : vcpu, what, place, status, after);
    if (actor === "fault") this.faults.set(step, this.steps);
  }

  /**
   * Our number of the step in which a fault struck, by the machine's; 0 if none did. A device tells of it when it answers,
   * which is a later step of the machine.
   */
  stepOf(machineStep: number): number {
    if (machineStep === 0) return 0;
    const told = [...this.faults].filter(([step]) => step >= machineStep);
    return told.reduce((first, one) => (one[0] < first[0] ? one : first), [Number.POSITIVE_INFINITY, 0])[1];
  }

  /** What was seen broken. What was told before is not told again. */
  tell(seen: readonly LabViolation[]): void {
    for (const violation of seen) {
      if (this.told.has(violation)) continue;
      this.told.add(violation);
      const { invariant, range, vcpu, septState } = violation;
      const [what, status] = DEEDS[invariant] ?? OTHER;
      const who = vcpu === undefined ? "guest" : `vcpu${vcpu}`;
      this.emit(who, vcpu ?? null, what, range, status, septState);
      this.violations.push({ invariant, step: this.steps, range, why: reasonOf(violation) });
    }
  }

  private emit(
    actor: string,
    vcpu: number | null,
    what: string,
    place: { readonly start: number; readonly end: number } | undefined,
    status: string,
    after: string,
  ): void {
    this.steps++;
    const { start, end } = place ?? { start: null, end: null };
    const stateAfter = after === "" ? null : after;
    this.listener({ step: this.steps, ns: this.now(), actor, vcpu, what, start, end, status, stateAfter });
  }
}
