/** What a status tells a reader at a glance: all is well, an event on the way, or a refusal. */
export type Tone = "fine" | "passing" | "refused";

const FINE: ReadonlySet<string> = new Set(["SUCCESS", "ACK", "0"]);
/** The call is not over: the TD exits to the VMM, which resumes it. */
const PASSING: ReadonlySet<string> = new Set(["TD_EXIT", "INTERRUPTED_RESUMABLE"]);

export const toneOf = (status: string): Tone =>
  FINE.has(status) ? "fine" : PASSING.has(status) ? "passing" : "refused";
