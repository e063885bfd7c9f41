/** Edits (insert, delete, replace, swap of neighbours) from one word to the other; case counts half. */
const distance = (from: string, to: string): number => {
  let twoBack: number[] = [];
  let back = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const a = from[i - 1]!;
      const b = to[j - 1]!;
      const replace = a === b ? 0 : a.toLowerCase() === b.toLowerCase() ? 0.5 : 1;
      let best = Math.min(back[j - 1]! + replace, back[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a === to[j - 2] && from[i - 2] === b) best = Math.min(best, twoBack[j - 2]! + 1);
      row.push(best);
    }
    twoBack = back;
    back = row;
  }
  return back[to.length]!;
};

const LONGEST_WORD = 64;

/** The known name a mistyped one most likely meant, or undefined if none is close. */
export const nearestName = (typed: string, known: readonly string[]): string | undefined => {
  if (typed.length > LONGEST_WORD) return undefined;
  let nearest: string | undefined;
  let best = Math.max(1, Math.floor(typed.length / 3)) + 0.5;
  for (const name of known) {
    const edits = distance(typed, name);
    if (edits < best) {
      best = edits;
      nearest = name;
    }
  }
  return nearest;
};

/** Advice for a name that is not known: the nearest one, or all of them if they are few. */
export const suggest = (typed: string, known: readonly string[]): string => {
  const nearest = nearestName(typed, known);
  if (nearest !== undefined) return `did you mean \`${nearest}\`?`;
  return known.length === 0 ? "remove it" : `use ${listOf(known, 12)}`;
};

const lastPart = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const wordsOf = (path: string): string[] =>
  path
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");

/**
 * Up to three of many names with folders, nearest first: the one that was mistyped, with or without its folder; else those that
 * contain what was typed; else those that share most words with it, or have the fewest edits.
 */
export const nearestPaths = (typed: string, known: readonly string[]): readonly string[] => {
  const slip = nearestName(typed, known) ?? nearestName(lastPart(typed), known.map(lastPart));
  if (slip !== undefined)
    return [known.find((name) => name === slip) ?? known.find((name) => lastPart(name) === slip)!];
  const short = typed.slice(0, LONGEST_WORD).toLowerCase();
  const containing = known.filter((name) => name.toLowerCase().includes(short));
  if (containing.length > 0) return containing.slice(0, 3);
  const words = new Set(wordsOf(short));
  const rows = known.map((name) => {
    const shared = wordsOf(name).filter((word) => words.has(word)).length;
    return { name, shared, edits: distance(short, lastPart(name).toLowerCase()) };
  });
  return rows
    .sort((a, b) => b.shared - a.shared || a.edits - b.edits)
    .slice(0, 3)
    .map(({ name }) => name);
};

/** Writes names as "a, b or c"; at most `most` of them. */
export const listOf = (names: readonly string[], most = Number.POSITIVE_INFINITY): string => {
  if (names.length > most) return `${names.slice(0, most).join(", ")} ...`;
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
};
