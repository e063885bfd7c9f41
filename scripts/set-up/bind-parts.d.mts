/** A file of a bundle, an ES module as esbuild writes them. */
export interface Part {
  readonly name: string;
  readonly text: string;
}

export function bindParts(parts: readonly Part[]): (text: string) => string;
