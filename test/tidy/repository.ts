import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourceFile } from "./source-file.ts";

/** Folder of the checkout that this test belongs to. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What .gitignore names. The list is walked, not asked from git: an archive of the sources has no .git. */
const IGNORED = /^(?:\.git|node_modules|dist|coverage|\.cache|.*\.tgz)$/;

const isText = (bytes: Buffer): boolean => !bytes.subarray(0, 8000).includes(0);

const walk = (folder: string): string[] => {
  const entries: Dirent[] = readdirSync(join(ROOT, folder), { withFileTypes: true });
  const kept = entries.filter((entry) => !IGNORED.test(entry.name));
  return kept.flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return walk(path);
    return entry.isFile() ? [path] : [];
  });
};

/** Every text file of the repository, in the order of its paths. */
export const repositoryFiles = (): SourceFile[] =>
  walk("")
    .sort()
    .map((path) => ({ path, bytes: readFileSync(join(ROOT, path)) }))
    .filter(({ bytes }) => isText(bytes))
    .map(({ path, bytes }) => ({ path, text: bytes.toString("utf8") }));
