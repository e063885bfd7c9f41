/** One thing that is not as it should be, at a byte of the table. */
export interface Diagnosis {
  /** An error ends the reading; a warning does not. */
  readonly severity: "error" | "warning";
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

export const tableError = (offset: number, expected: string, found: string): Diagnosis => ({
  severity: "error",
  offset,
  expected,
  found,
});

export const tableWarning = (offset: number, expected: string, found: string): Diagnosis => ({
  severity: "warning",
  offset,
  expected,
  found,
});
