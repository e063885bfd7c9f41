export interface Gap {
  readonly kind: "missing" | "throws";
  readonly symbol: string;
  readonly text: string;
}
export const COVERAGE_PATH: string;
export const missingTags: (comment: string) => string[];
export const gapsIn: (source: string) => Gap[];
export const coverageDocument: (files: readonly (readonly [path: string, text: string])[]) => string;
export const modelSources: (root: string) => [path: string, text: string][];
