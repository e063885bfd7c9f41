import { type Rule, violations } from "./source-file.ts";

/** A bracketed letter keeps a pattern from finding itself. Something before the slash makes it another path. */
const MACHINE_PATH = /(?<![\w.~*)\]}])\/(?:wor[k]|tm[p]|roo[t]|hom[e])(?![\w-])[^\s"'`)]*/g;
const REGISTRY = /\bhttps?:\/\/[\w.-]*(?:registry|artifactory|verdaccio|nexus|npmmirror)[\w.-]*[^\s"'`)]*/g;
const RESOLVED = /"resolved"\s*:\s*"[^"]*"/g;

/** What real machines printed is kept as it was, whatever paths it names. */
const isCapture = (path: string): boolean => path.startsWith("data/") && !path.endsWith(".md");

/** Nothing in the repository depends on the machine it was written on. */
export const namesNoMachinePath: Rule = (file) =>
  isCapture(file.path) ? [] : violations(file, file.text, MACHINE_PATH, "path of one machine");

/** Nor on the package registry that machine used. package-lock.json leaves the choice to the user's npm. */
export const namesNoRegistry: Rule = (file) => {
  if (file.path === "package-lock.json") return violations(file, file.text, RESOLVED, "names a registry");
  return isCapture(file.path) ? [] : violations(file, file.text, REGISTRY, "names a registry");
};
