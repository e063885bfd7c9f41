/** What one attempt came to. */
export interface Verdict {
  readonly found: boolean;
  /** Rules that were broken, panic, killed, deadlock, or why the machine stopped. */
  readonly by: string;
  /** Steps of the shortest story; 0 for a scenario. */
  readonly steps: number;
  readonly states: number;
  /** What a scenario shows on purpose: rules that it declares broken, and how its machine ended. */
  readonly shows?: string;
}
