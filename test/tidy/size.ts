import { codeOnly } from "../../scripts/source-text.mjs";
import { isModelSource, type Rule, violation } from "./source-file.ts";

export const FILE_LINES = 300;
export const FUNCTION_LINES = 40;

const linesOf = (text: string): number => text.split("\n").length - (text.endsWith("\n") ? 1 : 0);

/** A file is one room: 300 lines at most. */
export const isShort: Rule = (file) => {
  if (!isModelSource(file.path)) return [];
  const lines = linesOf(file.text);
  return lines <= FILE_LINES ? [] : [violation(file, 0, `${lines} lines, more than ${FILE_LINES}`)];
};

const OPENING = "([{";
const CLOSING = ")]}";

/** For each opening bracket's position, that of the one that closes it. */
const bracketPairs = (code: string): Map<number, number> => {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (let at = 0; at < code.length; at++) {
    if (OPENING.includes(code[at]!)) open.push(at);
    else if (CLOSING.includes(code[at]!)) {
      const from = open.pop();
      if (from !== undefined) pairs.set(from, at);
    }
  }
  return pairs;
};

const CONTROL = /\b(?:if|for|while|switch|catch|with|await|extends\s+[\w$.]+)\s*$/;
const NAMED = /[\w$\]#>]\s*$/;
/** What comes before a brace that belongs to a type, as in `: { readonly n: number } {`. */
const EXPECTS_TYPE = /(?:[:|&<,]|\b(?:is|keyof|readonly|extends))\s*$/;

/** Position of the brace that begins the body of the function whose parameters end at `close`. */
const bodyAfter = (code: string, close: number, pairs: Map<number, number>): number | undefined => {
  const after = /\s*/y;
  after.lastIndex = close + 1;
  after.exec(code);
  const start = after.lastIndex;
  if (code[start] === "{") return start;
  if (code[start] !== ":") return undefined;
  for (let at = start + 1; at < code.length; at++) {
    const char = code[at]!;
    if (char === "{" && !EXPECTS_TYPE.test(code.slice(start, at))) return at;
    if (OPENING.includes(char)) at = pairs.get(at) ?? code.length;
    else if (";=)]}".includes(char)) return undefined;
  }
  return undefined;
};

/**
 * Positions of the opening and the closing brace of every function body: arrows, functions, methods.
 *
 * It reads brackets, not grammar, and leaves out what that cannot tell: an arrow whose body is an expression,
 * and a method whose return type is a function's.
 */
export const functionBodies = (text: string): [open: number, close: number][] => {
  const code = codeOnly(text);
  const pairs = bracketPairs(code);
  const bodies = new Set<number>();
  for (const match of code.matchAll(/=>\s*\{/g)) bodies.add(match.index + match[0].length - 1);
  for (const [open, close] of pairs) {
    if (code[open] !== "(") continue;
    const before = code.slice(Math.max(0, open - 80), open);
    if (CONTROL.test(before) || !NAMED.test(before)) continue;
    const body = bodyAfter(code, close, pairs);
    if (body !== undefined) bodies.add(body);
  }
  return [...bodies].sort((a, b) => a - b).map((open) => [open, pairs.get(open) ?? code.length]);
};

/** A function is read at one glance: 40 lines from the brace that opens its body to the one that closes it. */
export const hasShortFunctions: Rule = (file) => {
  if (!isModelSource(file.path)) return [];
  return functionBodies(file.text).flatMap(([open, close]) => {
    const lines = linesOf(file.text.slice(open, close + 1));
    return lines <= FUNCTION_LINES
      ? []
      : [violation(file, open, `function of ${lines} lines, more than ${FUNCTION_LINES}`)];
  });
};
