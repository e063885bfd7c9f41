export interface Claim {
  readonly design: string;
  readonly claim: string;
  readonly by: string;
  readonly scenario: string;
  readonly set: readonly string[];
  /** What the run shows. */
  readonly shown: "reproduced" | "contradicted";
}
export const CLAIMS: readonly Claim[];
