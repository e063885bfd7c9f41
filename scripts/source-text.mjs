// Reading TypeScript as text, well enough to tell code from comments and strings. It is no parser: the scripts
// run before any parser is installed. What it gets wrong (a regular expression after a closing brace) is rare.

const BLANK = /[^\n]/g;
const blank = (text) => text.replace(BLANK, " ");

/** Words after which a slash begins a regular expression, as it does after most punctuation. */
const BEFORE_REGEX =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield))\s*$/;

const TOKENS = {
  lineComment: /\/\/[^\n]*/y,
  blockComment: /\/\*[\s\S]*?(?:\*\/|$)/y,
  string: /"(?:[^"\\\n]|\\[\s\S])*(?:"|$)|'(?:[^'\\\n]|\\[\s\S])*(?:'|$)/y,
  regex: /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y,
  /** A template's text up to its end or to the next `${`. */
  template: /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{|$)/y,
};

const matchAt = (token, text, at) => {
  token.lastIndex = at;
  return token.exec(text)?.[0];
};

/**
 * Cuts a source into pieces: { kind: "code" | "comment" | "string" | "template" | "regex", text }, in order and
 * complete. The code inside a template's `${}` is code.
 */
export const pieces = (source) => {
  const found = [];
  /** For each open `${`, how many braces are open inside it. */
  const open = [];
  let code = "";
  let at = 0;
  const push = (kind, text) => {
    if (code !== "") found.push({ kind: "code", text: code });
    code = "";
    if (text !== "") found.push({ kind, text });
    at += text.length;
  };
  /** After a backtick or the brace that ends a `${}`. */
  const template = (start) => {
    const rest = matchAt(TOKENS.template, source, at + start.length) ?? "";
    if (rest.endsWith("${")) open.push(0);
    push("template", start + rest);
  };
  /** The last code that is not blank; the end of it decides what a slash means. */
  const before = () => {
    if (code.trim() !== "") return code;
    const last = found.findLast((piece) => piece.kind !== "comment" && piece.text.trim() !== "");
    return last === undefined ? "" : last.kind === "code" ? last.text : "x";
  };
  while (at < source.length) {
    const char = source[at];
    const comment =
      char === "/" && (matchAt(TOKENS.lineComment, source, at) ?? matchAt(TOKENS.blockComment, source, at));
    const string = (char === '"' || char === "'") && matchAt(TOKENS.string, source, at);
    const regex =
      char === "/" && !comment && BEFORE_REGEX.test(before().slice(-20)) && matchAt(TOKENS.regex, source, at);
    if (comment) push("comment", comment);
    else if (string) push("string", string);
    else if (regex) push("regex", regex);
    else if (char === "`") template("`");
    else if (char === "}" && open.at(-1) === 0) {
      open.pop();
      template("}");
    } else {
      if (open.length > 0 && (char === "{" || char === "}")) open.push(open.pop() + (char === "{" ? 1 : -1));
      code += char;
      at++;
    }
  }
  push("code", "");
  return found;
};

/** The source with every piece of the given kinds turned to blanks; positions and line numbers stay. */
export const without = (source, kinds) =>
  pieces(source)
    .map((piece) => (kinds.includes(piece.kind) ? blank(piece.text) : piece.text))
    .join("");

/** Only code: no comments, strings, templates or regular expressions. */
export const codeOnly = (source) => without(source, ["comment", "string", "template", "regex"]);
