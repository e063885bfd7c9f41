import { BTF_HEADER, BTF_KIND } from "../btf.ts";

/** One type to encode: its kind's name, its own name, and the words behind the common three. */
export interface TinyType {
  readonly kind: keyof typeof BTF_KIND;
  readonly name?: string;
  readonly size?: number;
  readonly flag?: boolean;
  readonly count?: number;
  /** Words; a string is a name's offset. */
  readonly words?: readonly (number | string)[];
}

/**
 * A .BTF section with these types, the first of which has number 1, or `firstId` of a module's.
 *
 * @param stringsBefore bytes of strings in the kernel's section
 */
export const encodeBtf = (types: readonly TinyType[], stringsBefore = 0): Uint8Array => {
  let strings = stringsBefore === 0 ? "\0" : "";
  const nameOffset = (name: string): number => {
    if (name === "") return 0;
    strings += `${name}\0`;
    return stringsBefore + strings.length - name.length - 1;
  };
  const words: number[] = [];
  for (const { kind, name = "", size = 0, flag = false, count = 0, words: extra = [] } of types) {
    words.push(nameOffset(name), BTF_KIND[kind] * 2 ** 24 + count + (flag ? 2 ** 31 : 0), size);
    words.push(...extra.map((word) => (typeof word === "string" ? nameOffset(word) : word)));
  }
  const section = Buffer.from(Uint32Array.from(words).buffer);
  const text = Buffer.from(strings, "latin1");
  const sizes = { typeOff: 0, typeLen: section.length, strOff: section.length, strLen: text.length };
  const header = BTF_HEADER.encode({ magic: 0xeb9f, version: 1, flags: 0, hdrLen: 24, ...sizes });
  return new Uint8Array(Buffer.concat([header, section, text]));
};
