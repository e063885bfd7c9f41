/** What of the states of a machine a search need not meet. */
export interface Reductions {
  /** Of states that differ only in the names of users who do the same, one is enough. */
  readonly symmetry: boolean;
  /** Steps that nobody else can tell of are taken at once. */
  readonly partialOrder: boolean;
}

export const NO_REDUCTIONS: Reductions = { symmetry: false, partialOrder: false };
export const ALL_REDUCTIONS: Reductions = { symmetry: true, partialOrder: true };
