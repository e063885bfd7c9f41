import { fileURLToPath } from "node:url";

/** Folder of the checkout these scripts belong to. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What the scripts keep between runs, below the checkout: the lock, npm's log, what dist/ was built from. */
export const CACHE = ".cache";
