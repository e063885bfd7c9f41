import { type Refuse, refuserOf } from "./check-machine.ts";
import { describe, type Path } from "./scenario-error.ts";
import type { Source } from "./yaml-tree.ts";

/**
 * Refuses a map or a list of an expectation that has nothing in it: it would hold whatever happens, and read as if
 * something had been tested.
 *
 * @param path where the expectation stands; nothing there is no mistake
 * @throws ScenarioError with the place of the first such map or list
 */
export const refuseHollow = (source: Source, path: Path): void => {
  let written: unknown = source.data;
  for (const key of path)
    written = (written as Readonly<Record<string | number, unknown>> | undefined)?.[key];
  walk(written, path, refuserOf(source));
};

const walk = (written: unknown, path: Path, refuse: Refuse): void => {
  if (written === null || typeof written !== "object") return;
  const keys = Array.isArray(written) ? [...written.keys()] : Object.keys(written);
  if (keys.length === 0) {
    const advice = "name it, or leave the key out";
    refuse(path, { expected: "what must hold", found: describe(written), advice });
  }
  for (const key of keys)
    walk((written as Readonly<Record<string | number, unknown>>)[key], [...path, key], refuse);
};
