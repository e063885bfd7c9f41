export const ENTRY: string;
export const buildDist: (root: string, options?: { readonly clean?: boolean }) => Promise<void>;
