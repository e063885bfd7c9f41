export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped?: number;
}
/** The part of vitest's JSON report that is read. */
export interface TestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults?: readonly { readonly status: string }[];
  }[];
}
export const summaryLine: (counts: Counts) => string;
export const countTests: (report: TestReport | undefined, status: number) => Required<Counts>;
