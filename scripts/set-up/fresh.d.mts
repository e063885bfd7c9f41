export const RECORD: string;
export const digest: (path: string) => string;
export const distIsFresh: (root: string) => boolean;
