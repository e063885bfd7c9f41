import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { codeOnly, pieces } from "./source-text.mjs";

export const COVERAGE_PATH = "docs/coverage.md";

const MODIFIERS =
  /(?:(?:public|private|protected|static|override|readonly|async|abstract|get|set|declare)\s+)*/.source;
const DECLARATION = new RegExp(
  String.raw`(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?` +
    String.raw`(?:const|let|var|function\*?|class|interface|type)\s+(\w+)`,
);
const TOP_LEVEL = new RegExp(`^${DECLARATION.source}`, "gm");
const MEMBER = new RegExp(String.raw`${MODIFIERS}(#?\w+)\s*[(<:=?;,]`);
const OUTER_MEMBER = new RegExp(`^ {2}${MEMBER.source}`, "gm");

const lastMatch = (pattern, text) => [...text.matchAll(pattern)].at(-1);

/** Name of the declaration that the code at `offset` is in, with the class member if it is in one. */
const enclosing = (code, offset) => {
  const outer = lastMatch(TOP_LEVEL, code.slice(0, offset));
  if (outer === undefined) return "(file)";
  if (!/\bclass\s+\w+$/.test(outer[0])) return outer[1];
  const member = lastMatch(OUTER_MEMBER, code.slice(outer.index, offset));
  return member === undefined ? outer[1] : `${outer[1]}.${member[1]}`;
};

/** Name of what the docstring that ends at `offset` is about. */
const documented = (code, offset) => {
  const rest = code.slice(offset);
  const next = rest.trimStart();
  const indented = /\n[ \t]+$/.test(rest.slice(0, rest.length - next.length));
  if (!indented) return new RegExp(`^${DECLARATION.source}`).exec(next)?.[1] ?? "(file)";
  const member = new RegExp(`^${MEMBER.source}`).exec(next)?.[1];
  const outer = lastMatch(TOP_LEVEL, code.slice(0, offset))?.[1];
  return [outer, member].filter(Boolean).join(".") || "(file)";
};

const collapse = (text) => text.replace(/\s+/g, " ").trim();

/** The texts of the `@missing` tags of one docstring. A tag ends at the next one, at a blank line or at the end. */
export const missingTags = (comment) => {
  const body = comment.replace(/^\/\*\*/, "").replace(/\*\/$/, "");
  const lines = body.split("\n").map((line) => line.replace(/^\s*\*? ?/, ""));
  const tags = [];
  let open = false;
  for (const line of lines) {
    const tag = /^\s*@missing\b(.*)/.exec(line);
    if (tag) tags.push(tag[1]);
    else if (open && !/^\s*(@\w|$)/.test(line)) tags[tags.length - 1] += ` ${line}`;
    open = tag !== null || (open && !/^\s*(@\w|$)/.test(line));
  }
  return tags.map(collapse);
};

/** The text between the bracket that opens just before `start` and the one that closes it. */
const bracketed = (source, code, start) => {
  let depth = 1;
  let end = start;
  for (; end < code.length && depth > 0; end++) {
    if ("([{".includes(code[end])) depth++;
    else if (")]}".includes(code[end])) depth--;
  }
  return source.slice(start, end - 1);
};

/** What a thrown NotModelled says: a plain string as it reads, anything else as the code that makes it. */
const message = (argument) => {
  const text = collapse(argument).replace(/,$/, "");
  const literal = /^(["'`])((?:(?!\1)[^\\]|\\.)*)\1$/.exec(text);
  if (literal === null) return `\`${text}\``;
  return literal[1] === "`" ? literal[2].replace(/\$\{([^}]*)\}/g, "<$1>") : literal[2];
};

/**
 * What one source says is not modelled, in the order of the file.
 *
 * @returns rows of { kind: "missing" | "throws", symbol, text }; the same row once
 */
export const gapsIn = (source) => {
  const code = codeOnly(source);
  const rows = [];
  let offset = 0;
  for (const { kind, text } of pieces(source)) {
    offset += text.length;
    if (kind !== "comment" || !text.startsWith("/**")) continue;
    for (const tag of missingTags(text))
      rows.push({ kind: "missing", symbol: documented(code, offset), text: tag });
  }
  for (const match of code.matchAll(/\bnew\s+NotModelled\s*\(/g)) {
    const text = message(bracketed(source, code, match.index + match[0].length));
    rows.push({ kind: "throws", symbol: enclosing(code, match.index), text });
  }
  const keys = rows.map((row) => JSON.stringify(row));
  return rows.filter((_row, index) => keys.indexOf(keys[index]) === index);
};

const escaped = (text) =>
  text.replace(/[<*]/g, "\\$&").replace(/`[^`]*`/g, (span) => span.replace(/\\/g, ""));

const line = ({ kind, symbol, text }) =>
  kind === "missing" ? `- \`${symbol}\`: ${escaped(text)}` : `- \`${symbol}\` throws: ${escaped(text)}`;

const INTRODUCTION = `# What is not modelled

Made by \`npm run coverage-doc\` from the sources; do not edit it. Each line is either an \`@missing\` tag of a
docstring (behaviour of the real thing that the code leaves out) or a place that throws \`NotModelled\` (the code
stops there and says so, it never makes up an answer).
`;

/**
 * The whole document.
 *
 * @param files [path, text] of every source below src/ that is no test, in any order
 */
export const coverageDocument = (files) => {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const gaps = sorted
    .map(([path, text]) => ({ path, rows: gapsIn(text) }))
    .filter(({ rows }) => rows.length > 0);
  const count = (kind) => gaps.flatMap(({ rows }) => rows).filter((row) => row.kind === kind).length;
  const total = `${count("missing")} tags and ${count("throws")} throws in ${gaps.length} files.`;
  const folders = [...new Set(gaps.map(({ path }) => dirname(path)))].sort();
  const sections = folders.map((folder) => {
    const here = gaps.filter(({ path }) => dirname(path) === folder);
    const lists = here.map(
      ({ path, rows }) => `### ${path.slice(folder.length + 1)}\n\n${rows.map(line).join("\n")}\n`,
    );
    return `## ${folder}\n\n${lists.join("\n")}`;
  });
  return [INTRODUCTION, `${total}\n`, ...sections].join("\n");
};

/** [path, text] of every source below src/ of a checkout that is no test. */
export const modelSources = (root) => {
  const names = readdirSync(join(root, "src"), { recursive: true }).map((name) => name.replaceAll("\\", "/"));
  const wanted = names.filter((name) => /\.ts$/.test(name) && !/\.(test|d)\.ts$/.test(name));
  return wanted.map((name) => [`src/${name}`, readFileSync(join(root, "src", name), "utf8")]);
};
