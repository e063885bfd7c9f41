import type { Place, Range } from "../facts.ts";
import type { Survey } from "../map/survey.ts";

/** An error kills the machine or loses memory; a warning may; a note explains. */
export const SEVERITIES = ["error", "warning", "note"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What one rule found at one place. */
export interface Found {
  /** The sentence a user reads. */
  readonly text: string;
  readonly range?: Range;
  /** Where it was read. */
  readonly at: readonly Place[];
  /** Differs from the rule's own only where a case is milder or harder. */
  readonly severity?: Severity;
}

/** One thing that is looked for. Rules are a table; each judges everything that was read. */
export interface FindingRule {
  readonly id: string;
  readonly severity: Severity;
  /** What it looks for, in a few words. */
  readonly what: string;
  /** Why that matters: the code or the specification that says so. */
  readonly source: string;
  judge(survey: Survey): readonly Found[];
}

export interface Finding extends Found {
  readonly id: string;
  readonly severity: Severity;
  readonly what: string;
  readonly source: string;
}
