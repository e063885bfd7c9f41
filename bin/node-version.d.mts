export const OLDEST_NODE: readonly [major: number, minor: number];
export const nodeTooOld: (version: string) => string | undefined;
export const requireNode: () => void;
