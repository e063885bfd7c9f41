/** Rank of a character in a part that is no number: ~ before the end, the end before letters, letters before the rest. */
const rankOf = (char: string | undefined): number => {
  if (char === "~") return -1;
  if (char === undefined) return 0;
  return /[A-Za-z]/.test(char) ? char.charCodeAt(0) : char.charCodeAt(0) + 256;
};

const compareWords = (a: string, b: string): number => {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = rankOf(a[at]) - rankOf(b[at]);
    if (difference !== 0) return difference;
  }
  return 0;
};

/** Words and numbers in turn, beginning with a word, which may be empty. */
const partsOf = (text: string): string[] => text.split(/(\d+)/);

const compareParts = (a: string, b: string): number => {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [x = "", y = ""] = [left[at], right[at]];
    const isNumber = at % 2 === 1;
    const difference = isNumber ? Math.sign(Number(x) - Number(y)) : compareWords(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
};

const split = (version: string): { epoch: number; upstream: string; revision: string } => {
  const [, epoch = "0", rest = ""] = /^(?:(\d+):)?(.*)$/s.exec(version) ?? [];
  const dash = rest.lastIndexOf("-");
  const upstream = dash < 0 ? rest : rest.slice(0, dash);
  return { epoch: Number(epoch), upstream, revision: dash < 0 ? "" : rest.slice(dash + 1) };
};

/**
 * Orders two versions of Debian packages: below 0 if `a` is the older one, 0 if they are the same to dpkg.
 *
 * @source deb-version(7), "Sorting algorithm"
 */
export const compareDebianVersions = (a: string, b: string): number => {
  const [left, right] = [split(a), split(b)];
  const epochs = left.epoch - right.epoch;
  if (epochs !== 0) return epochs;
  return compareParts(left.upstream, right.upstream) || compareParts(left.revision, right.revision);
};
