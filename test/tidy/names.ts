import { importsOf, isTest, type Rule, resolved, violation } from "./source-file.ts";

const EMPTY_NAME = /^(?:(?:.*-)?(?:utils?|helpers?|common|managers?|misc)|data)$/;

/** A name says what is inside, in the words of the field. */
export const hasTellingName: Rule = (file) => {
  if (!/^(src|test|bench|scripts|bin)\//.test(file.path)) return [];
  const names = file.path.split("/").map((part) => part.replace(/\..*$/, ""));
  const empty = names.find((name) => EMPTY_NAME.test(name));
  return empty === undefined ? [] : [`${file.path}: the name "${empty}" says nothing`];
};

/** Endings an import may have besides .ts: the scripts are no TypeScript, and the browser bundles styles. */
const otherEnding = (path: string, target: string): boolean =>
  (isTest(path) && /^(scripts|bin)\/.*\.mjs$/.test(target)) ||
  (path.startsWith("src/web/") && /\.(svelte|css|svg|json)$/.test(target));

/**
 * Every relative import names a file that is there, by its whole name.
 *
 * @param exists whether the repository has a file of this path
 */
export const importsExist =
  (exists: (path: string) => boolean): Rule =>
  (file) => {
    if (!/^(src|test|bench)\/.*\.(ts|svelte)$/.test(file.path)) return [];
    return importsOf(file.text).flatMap(({ specifier, offset }) => {
      if (!specifier.startsWith(".")) return [];
      const target = resolved(file.path, specifier);
      if (target === undefined || !exists(target))
        return [violation(file, offset, `${specifier} does not exist`)];
      const ending = specifier.endsWith(".ts") || otherEnding(file.path, target);
      return ending ? [] : [violation(file, offset, `${specifier} does not end in .ts`)];
    });
  };
