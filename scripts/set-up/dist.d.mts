export const ENTRY: string;
export const distIsFresh: (root: string) => boolean;
export const buildDist: (root: string, options?: { readonly clean?: boolean }) => Promise<void>;
