// Parts of documents that are made: tables between marks. Pure.

export const table = (head, rows) =>
  [
    `| ${head.join(" | ")} |`,
    `|${" --- |".repeat(head.length)}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");

/** Puts a part between its marks. Throws if the document has no such part. */
const replaced = (path, text, name, content) => {
  const [from, to] = [`<!-- made: ${name} -->\n`, "<!-- end -->"];
  const start = text.indexOf(from);
  const end = text.indexOf(to, start);
  if (start < 0 || end < 0) throw new Error(`${path} has no part ${from.trim()}`);
  return `${text.slice(0, start)}${from}\n${content}\n\n${text.slice(end)}`;
};

/** A document with every part made anew. */
export const withParts = (path, text, parts) =>
  Object.entries(parts).reduce((all, [name, content]) => replaced(path, all, name, content), text);
