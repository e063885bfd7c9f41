import { describe, type Path, type Place, pathText, ScenarioError } from "./scenario-error.ts";
import { isPlainKey, type PlacedData, readYaml } from "./yaml-tree.ts";

/** A value from the command line for a field of the scenario. */
export interface Override {
  /** `path=value`. */
  readonly assignment: string;
  /** The option as it was given, for messages; it ends with the value. */
  readonly option: string;
}

const shape = /^([^=]*)=(.*)$/s;

/**
 * Puts a value such as that of `machine.memory=8G` over the scenario's own.
 *
 * Parts of the path are keys, positions in a list (from 0), or the `id` of a list entry. A key that is not
 * there is added; whether it may be there is for the schema to say. The value is read as YAML.
 *
 * @throws ScenarioError whose place is the option itself
 */
export const override = (source: PlacedData, { assignment, option }: Override): void => {
  const at = (column: number): Place => ({ file: option, line: 1, column });
  const start = option.endsWith(assignment) ? option.length - assignment.length + 1 : 1;
  const match = shape.exec(assignment);
  if (match === null) {
    const expected = "path=value such as machine.memory=8G";
    throw new ScenarioError(at(start), "", { expected, found: describe(assignment), advice: "" });
  }
  const [, left = "", right = ""] = match;
  const parts = left.replace(/\[(\d+)\]/g, ".$1").split(".");
  const value = readYaml(right, option);
  const path: (string | number)[] = [];
  let here: unknown = source.data;
  for (const [index, part] of parts.entries()) {
    const key = partOf(here, part.trim(), path, at(start));
    path.push(key);
    const container = here as Record<string | number, unknown>;
    if (index < parts.length - 1) {
      if (!Object.hasOwn(container, key) || container[key] === null) container[key] = {};
      here = container[key];
    } else {
      container[key] = value.data;
      const place = at(option.length - right.length + 1);
      notePlaces(source, path, value, place);
    }
  }
};

/** Places inside the value count from its own start; the option's column is what the user sees. */
const notePlaces = (source: PlacedData, path: Path, value: PlacedData, place: Place): void => {
  const walk = (data: unknown, inner: Path): void => {
    const { line, column } = value.placeOf(inner);
    const shifted = line === 1 ? { ...place, column: place.column + column - 1 } : { ...place, line, column };
    source.note([...path, ...inner], shifted, shifted);
    if (data === null || typeof data !== "object") return;
    const keys = Array.isArray(data) ? data.keys() : Object.keys(data);
    for (const key of keys) walk((data as Record<string | number, unknown>)[key], [...inner, key]);
  };
  walk(value.data, []);
};

/** The key that `part` means in `container`. */
const partOf = (container: unknown, part: string, path: Path, place: Place): string | number => {
  const refuse = (expected: string, found: string): never => {
    throw new ScenarioError(place, pathText(path), { expected, found, advice: "" });
  };
  if (part === "" || !isPlainKey(part)) return refuse("a path such as machine.memory", describe(part));
  if (!Array.isArray(container)) {
    if (container !== null && typeof container === "object") return part;
    return refuse("a map or a list, to set a part of it", describe(container));
  }
  const named = container.findIndex((entry) => (entry as { id?: unknown } | null)?.id === part);
  if (named >= 0) return named;
  const index = /^\d{1,6}$/.test(part) ? Number(part) : -1;
  if (index >= 0 && index <= container.length) return index;
  return refuse(`0 to ${container.length} or the id of an entry`, describe(part));
};
