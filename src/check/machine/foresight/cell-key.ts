import { LINE_WORDS } from "../memory/line.ts";
import type { Mirror } from "../memory/mirror.ts";

/**
 * Writes each cell of some lines in which a memory differs from a mirror's copy, and what it holds.
 *
 * @param keyed by line: 0 if it is passed over @returns the end of what was written
 */
export const writeKey = (
  mirror: Mirror,
  keyed: Uint8Array,
  words: Uint32Array,
  to: Uint32Array,
  at: number,
): number => {
  const { differing, firsts, copy } = mirror;
  const lines = mirror.compare();
  let used = at;
  for (let place = 0; place < lines; place++) {
    const line = differing[place]!;
    if (keyed[line] === 0) continue;
    for (let word = 0; word < LINE_WORDS; word++) {
      const cell = line * LINE_WORDS + word;
      const value = words[firsts[line]! + word]!;
      if (value === copy[cell]) continue;
      to[used++] = cell;
      to[used++] = value;
    }
  }
  return used;
};
