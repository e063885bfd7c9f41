/** Longest list or map that stays on one line. */
const LINE = 100;

/**
 * Writes a document as JSON that people can also read: short lists and maps, and lists of numbers, stay on one line.
 * Ends in a line end.
 */
export const renderJson = (document: object): string => `${write(document, "")}\n`;

const write = (value: unknown, indent: string): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  const inner = `${indent}  `;
  const parts = isList
    ? value.map((item) => write(item, inner))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => `${JSON.stringify(key)}: ${write(item, inner)}`);
  const [open, close] = isList ? "[]" : "{}";
  const flat = `${open}${parts.join(", ")}${close}`;
  const numbers = isList && value.every((item) => typeof item === "number");
  if (numbers || (flat.length <= LINE && !flat.includes("\n"))) return flat;
  return `${open}\n${parts.map((part) => inner + part).join(",\n")}\n${indent}${close}`;
};
