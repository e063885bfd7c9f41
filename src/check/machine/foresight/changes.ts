import { LINE_WORDS } from "../memory/line.ts";
import type { Mirror } from "../memory/mirror.ts";
import { headerOf, lineOf, maskOf } from "../memory/saved-state.ts";

const FIRST_BITS = Uint8Array.from({ length: 256 }, (_, mask) => 31 - Math.clz32(mask & -mask));

/** Writes in what words a memory differs from a mirror's copy, which knows the lines: a header of saved-state.ts a line, and values. @returns the end */
export const writeChange = (mirror: Mirror, words: Uint32Array, to: Uint32Array, at: number): number => {
  const { differing, firsts, copy, count } = mirror;
  let used = at;
  for (let place = 0; place < count; place++) {
    const line = differing[place]!;
    const first = firsts[line]!;
    const copied = line * LINE_WORDS;
    const header = used++;
    let mask = 0;
    for (let word = 0; word < LINE_WORDS; word++) {
      const value = words[first + word]!;
      if (value === copy[copied + word]) continue;
      mask |= 1 << word;
      to[used++] = value;
    }
    to[header] = headerOf(line, mask);
  }
  return used;
};

/** Makes a memory, which is as a mirror's copy, what such a change says. The mirror knows the lines that differ then. */
export const takeChange = (
  mirror: Mirror,
  words: Uint32Array,
  from: Uint32Array,
  begin: number,
  end: number,
): void => {
  const { differing, firsts } = mirror;
  let lines = 0;
  for (let at = begin; at < end; ) {
    const header = from[at++]!;
    const line = lineOf(header);
    const first = firsts[line]!;
    differing[lines++] = line;
    for (let mask = maskOf(header); mask !== 0; mask &= mask - 1)
      words[first + FIRST_BITS[mask]!] = from[at++]!;
  }
  mirror.count = lines;
};
