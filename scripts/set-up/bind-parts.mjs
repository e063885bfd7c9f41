// Parts of dist/ that take what they import once, when they are loaded.
//
// Where esbuild turns an ES module into CommonJS, each use of an import asks the other part for it through a getter,
// because it might have changed. Code that runs for the first time spends a sixth of its time in those getters.

const IMPORT = /import(?:\{([^}]*)\}from|[\w$*][^"]*?from)?"([^"]+)";?/y;
const EXPORT = /export\{([^}]*)\};?\s*(?:\/\/[^\n]*\s*)?$/;

/** `a,b as c` as pairs of names: there, here. */
const pairsOf = (list) => list.split(",").map((one) => one.split(" as ").map((name) => name.trim()));

/** The import statements at the head of an ES module, as esbuild writes them. */
const importsOf = (text) => {
  const found = [];
  IMPORT.lastIndex = 0;
  for (
    let at = 0, match = IMPORT.exec(text);
    match !== null;
    at = IMPORT.lastIndex, match = IMPORT.exec(text)
  )
    found.push({ at, end: IMPORT.lastIndex, list: match[1], from: match[2] });
  return found;
};

const escaped = (name) => name.replaceAll("$", "\\$");

/** Whether what stands at `at` is inside brackets that its own statement opens, as an argument is. */
const isInBrackets = (text, at) => {
  let depth = 0;
  for (let before = at - 1; before >= 0 && text[before] !== ";"; before--) {
    if (")]}".includes(text[before])) depth++;
    else if ("([{".includes(text[before]) && depth-- === 0) return true;
  }
  return false;
};

/** Whether a variable may get a value after the one that it is declared with. In doubt it may. */
const maybeChanges = (text, name) => {
  const one = `(?<![\\w$.])${escaped(name)}(?![\\w$])`;
  const found = (pattern) => [...text.matchAll(new RegExp(pattern, "g"))];
  const assigned = found(`${one}\\s*(?:[-+*/%&|^]|\\*\\*|<<|>>>?|&&|\\|\\||\\?\\?)?=(?![=>])`);
  const counted = found(`${one}\\s*(?:\\+\\+|--)|(?:\\+\\+|--)\\s*${one}`);
  if (assigned.length > 1 || counted.length > 0) return true;
  const declared = `(?<=(?:var|let|const)\\s)${one}\\s*=|(?:function\\*?|class)\\s+${one}`;
  if (found(declared).length > 0) return false;
  // Declared in a list with others: without a value?
  return found(`(?<=,\\s*|(?:var|let)\\s)${one}\\s*[,;]`).some(({ index }) => !isInBrackets(text, index));
};

/** Names that a part exports and that may change after it was loaded. */
const changingExports = (text) => {
  const list = EXPORT.exec(text)?.[1];
  if (list === undefined) return new Set();
  const body = text.replace(EXPORT, "");
  const pairs = pairsOf(list).filter(([local]) => maybeChanges(body, local));
  return new Set(pairs.map(([local, exported = local]) => exported));
};

/**
 * @param parts file names and texts of all ES modules of a bundle, which import one another by `./NAME`
 * @returns for a text of theirs: the same, but what other parts export and never change is taken by require()
 */
export const bindParts = (parts) => {
  const changing = new Map(parts.map(({ name, text }) => [`./${name}`, changingExports(text)]));
  const bound = ({ list, from }) => {
    const known = changing.get(from);
    if (list === undefined || known === undefined) return undefined;
    const pairs = pairsOf(list);
    const kept = pairs.filter(([there]) => known.has(there));
    const taken = pairs.filter(([there]) => !known.has(there));
    const left =
      kept.length === 0 ? "" : `import{${kept.map((pair) => pair.join(" as ")).join(",")}}from"${from}";`;
    const constants = taken.map((pair) => pair.join(":")).join(",");
    return taken.length === 0 ? left : `${left}const{${constants}}=require("${from}");`;
  };
  return (text) => {
    const imports = importsOf(text);
    const head = imports.map((one) => bound(one) ?? text.slice(one.at, one.end));
    return head.join("") + text.slice(imports.at(-1)?.end ?? 0);
  };
};
