import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of the scenarios that come with the package, wherever this file was bundled to. */
const bundledFolder = (): string | undefined => {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let up = 0; up < 5; up++) {
    if (existsSync(join(folder, "package.json"))) {
      const scenarios = join(folder, "scenarios");
      return existsSync(scenarios) ? scenarios : undefined;
    }
    folder = dirname(folder);
  }
  return undefined;
};

/** Names of the bundled scenarios, without ending: `boot-lazy-4g`, `bugs/B18-never-accepted`. */
export const bundledNames = (): string[] => {
  const folder = bundledFolder();
  if (folder === undefined) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
};

/** The name of a file, without a way to another folder. */
const PLAIN_NAME = /^[\w-]+$/;

/**
 * Path of the bundled scenario of that name, with or without its folder and `.yaml`; undefined if there is none. Where
 * a folder has one of the same name, the name alone is the one outside.
 */
export const bundledPath = (name: string): string | undefined => {
  const folder = bundledFolder();
  if (folder === undefined) return undefined;
  const bare = name.endsWith(".yaml") ? name.slice(0, -".yaml".length) : name;
  // Most names are of the folder itself; to list all folders takes as long as to read the scenario.
  const outside = join(folder, `${bare}.yaml`);
  if (PLAIN_NAME.test(bare) && existsSync(outside)) return outside;
  const names = bundledNames();
  const found = names.find((one) => one === bare) ?? names.find((one) => one.endsWith(`/${bare}`));
  return found === undefined ? undefined : join(folder, `${found}.yaml`);
};
