import { GdbFormatError, shown } from "./gdb-error.ts";

/** One register as the stub describes it. */
export interface RegisterPlace {
  readonly name: string;
  /** Its number in `p` and `P`. */
  readonly number: number;
  /** Where it lies in the block of `g` and `G`, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** Registers by name, in the order of their numbers, and the bytes of a whole block. */
export interface RegisterLayout {
  readonly registers: readonly RegisterPlace[];
  readonly byName: ReadonlyMap<string, RegisterPlace>;
  readonly blockBytes: number;
}

/** Bounds against a description that does not end; QEMU's x86-64 has 66 registers and one include. */
const MOST_REGISTERS = 4096;
const WIDEST_BITS = 2048 * 8;
export const MOST_ANNEXES = 32;
export const LONGEST_DESCRIPTION = 1 << 20;

const COMMENT = /<!--[\s\S]*?-->/g;
const ELEMENT = /<(reg|xi:include)\b([^<>]*?)\/?>/g;
const ATTRIBUTE = /([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

const attributesOf = (text: string): Map<string, string> => {
  const attributes = new Map<string, string>();
  for (const [, name, double, single] of text.matchAll(ATTRIBUTE))
    attributes.set(name!, double ?? single ?? "");
  return attributes;
};

interface Numbered {
  readonly name: string;
  readonly number: number;
  readonly bytes: number;
}

const naturalOf = (text: string, most: number, what: string): number => {
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : -1;
  if (value < 0 || value > most) throw new GdbFormatError(what, `0 to ${most}`, shown(text));
  return value;
};

const registerOf = (attributes: Map<string, string>, next: number): Numbered => {
  const name = attributes.get("name") ?? "";
  if (name === "") throw new GdbFormatError("register description", "a name", "none");
  const bits = naturalOf(attributes.get("bitsize") ?? "", WIDEST_BITS, `bitsize of register ${shown(name)}`);
  if (bits === 0 || bits % 8 !== 0)
    throw new GdbFormatError(`register ${shown(name)}`, "whole bytes", `${bits} bits`);
  const regnum = attributes.get("regnum");
  const number = regnum === undefined ? next : naturalOf(regnum, MOST_REGISTERS, `regnum of ${shown(name)}`);
  return { name, number, bytes: bits / 8 };
};

const layoutOf = (numbered: readonly Numbered[]): RegisterLayout => {
  let offset = 0;
  const registers = [...numbered]
    .sort((a, b) => a.number - b.number)
    .map((register) => {
      const place = { ...register, offset };
      offset += register.bytes;
      return place;
    });
  const byName = new Map(registers.map((place) => [place.name, place]));
  const numbers = new Set(registers.map(({ number }) => number));
  if (byName.size !== registers.length || numbers.size !== registers.length) {
    throw new GdbFormatError("register description", "each register once", "one twice");
  }
  return { registers, byName, blockBytes: offset };
};

/** The annexes that a description includes, in order. */
export const includesOf = (description: string): string[] =>
  [...description.replace(COMMENT, "").matchAll(ELEMENT)].flatMap(([, element, text]) => {
    const href = element === "xi:include" ? attributesOf(text!).get("href") : undefined;
    return href === undefined ? [] : [href];
  });

/**
 * Where each register lies, read from the description rather than known: QEMU's set has changed between releases.
 *
 * A register without `regnum` has the number after the one before it, across includes. The block holds them in
 * the order of their numbers without gaps.
 *
 * @param annexes text of `target.xml` and of all that it includes, by name
 * @throws GdbFormatError if an annex is missing or included twice, or a register's size or number is unsound
 * @source GDB manual, Target Description Format
 * @missing types and flags: every register is an unsigned little-endian number
 */
export const registerLayoutOf = (annexes: ReadonlyMap<string, string>): RegisterLayout => {
  const numbered: Numbered[] = [];
  const seen = new Set<string>();
  let next = 0;
  const read = (annex: string): void => {
    const text = annexes.get(annex);
    if (text === undefined) throw new GdbFormatError("target description", `annex ${shown(annex)}`, "none");
    if (seen.has(annex)) throw new GdbFormatError("target description", "each annex once", shown(annex));
    seen.add(annex);
    for (const [, element, rest] of text.replace(COMMENT, "").matchAll(ELEMENT)) {
      const attributes = attributesOf(rest!);
      if (element === "xi:include") {
        read(attributes.get("href") ?? "");
        continue;
      }
      const register = registerOf(attributes, next);
      if (numbered.length >= MOST_REGISTERS) {
        throw new GdbFormatError("target description", `at most ${MOST_REGISTERS} registers`, "more");
      }
      numbered.push(register);
      next = register.number + 1;
    }
  };
  read("target.xml");
  return layoutOf(numbered);
};
