import { DecodeError, struct } from "../../abi/bytes.ts";

/** @source Linux Documentation/bpf/btf.rst; include/uapi/linux/btf.h, struct btf_header */
export const BTF_HEADER = struct("BTF header", 24, {
  magic: [0, "u16"],
  version: [2, "u8"],
  flags: [3, "u8"],
  hdrLen: [4, "u32"],
  typeOff: [8, "u32"], // from the end of the header, as stringOff
  typeLen: [12, "u32"],
  strOff: [16, "u32"],
  strLen: [20, "u32"],
});
const MAGIC = 0xeb9f;
const VERSION = 1;
const WHAT = "BTF";

/** Kinds of types; VOID is id 0, which has no entry. */
export const BTF_KIND = {
  VOID: 0,
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;

/** Bytes behind the 12 that every type has: fixed ones, and ones for each of `vlen` elements. */
const EXTRA: readonly (readonly [fixed: number, each: number] | undefined)[] = [
  undefined,
  [4, 0], // INT
  [0, 0],
  [12, 0], // ARRAY
  [0, 12], // STRUCT
  [0, 12], // UNION
  [0, 8], // ENUM
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 8], // FUNC_PROTO
  [4, 0], // VAR
  [0, 12], // DATASEC
  [0, 0],
  [4, 0], // DECL_TAG
  [0, 0],
  [0, 12], // ENUM64
];
const COMMON = 12;

/** One type, as it lies in the section. */
export interface BtfType {
  readonly id: number;
  readonly kind: number;
  /** "" if it has none. */
  readonly name: string;
  /** Number of members, enumerators or parameters. */
  readonly count: number;
  /** Bit 31 of the info word: bitfields in a struct, signed values in an enum, a union for a FWD. */
  readonly flag: boolean;
  /** Bytes of a sized kind, or the type that this one refers to. */
  readonly sizeOrType: number;
  /** Where the kind's own data starts in `words` of its Btf. */
  readonly dataAt: number;
}

const VOID: BtfType = { id: 0, kind: 0, name: "", count: 0, flag: false, sizeOrType: 0, dataAt: 0 };

interface Parts {
  readonly words: DataView;
  /** Where each type starts; the first of these is number `firstId`. */
  readonly offsets: Uint32Array;
  readonly strings: string;
}

/**
 * The types that a kernel or a module tells about itself (CONFIG_DEBUG_INFO_BTF). A module's are split: they refer
 * to the kernel's, and so continue its numbers and strings.
 */
export class Btf {
  readonly base: Btf | undefined;
  readonly #parts: Parts;
  readonly #firstId: number;
  readonly #firstString: number;
  #named: ReadonlyMap<string, readonly number[]> | undefined;

  private constructor(parts: Parts, base: Btf | undefined) {
    this.#parts = parts;
    this.base = base;
    this.#firstId = base === undefined ? 1 : base.endId;
    this.#firstString = base === undefined ? 0 : base.endString;
  }

  /**
   * @param section a .BTF section
   * @param base the kernel's types, for a module's
   * @throws DecodeError if the section is damaged or has a kind of type that is not known
   */
  static decode(section: Uint8Array, base?: Btf): Btf {
    const header = BTF_HEADER.decode(section);
    if (header.magic !== MAGIC)
      throw new DecodeError(WHAT, 0, "magic 0xeb9f", `0x${header.magic.toString(16)}`);
    if (header.version !== VERSION) throw new DecodeError(WHAT, 2, "version 1", `${header.version}`);
    const part = (at: number, offset: number, length: number): Uint8Array => {
      const start = header.hdrLen + offset;
      if (start + length <= section.length && header.hdrLen >= BTF_HEADER.size)
        return section.subarray(start, start + length);
      throw new DecodeError(WHAT, at, `a part inside ${section.length} bytes`, `${length} at ${start}`);
    };
    const types = part(8, header.typeOff, header.typeLen);
    const strings = part(16, header.strOff, header.strLen);
    const words = new DataView(types.buffer, types.byteOffset, types.byteLength);
    const text = Buffer.from(strings.buffer, strings.byteOffset, strings.length).toString("latin1");
    return new Btf({ words, offsets: typeOffsets(words), strings: text }, base);
  }

  /** One more than the last type's number. */
  get endId(): number {
    return this.#firstId + this.#parts.offsets.length;
  }

  /** One more than the last string's offset. */
  get endString(): number {
    return this.#firstString + this.#parts.strings.length;
  }

  /** The types' bytes, in which `dataAt` of a type with this number counts. */
  wordsOf(id: number): DataView {
    return id < this.#firstId && this.base !== undefined ? this.base.wordsOf(id) : this.#parts.words;
  }

  string(offset: number): string {
    if (offset < this.#firstString && this.base !== undefined) return this.base.string(offset);
    const start = offset - this.#firstString;
    const end = this.#parts.strings.indexOf("\0", start);
    return this.#parts.strings.slice(start, end < 0 ? undefined : end);
  }

  /** The type of this number. @throws DecodeError if there is none, which a damaged section may name */
  type(id: number): BtfType {
    if (id === 0) return VOID;
    if (id < this.#firstId && this.base !== undefined) return this.base.type(id);
    const at = this.#parts.offsets[id - this.#firstId];
    if (at === undefined) throw new DecodeError(WHAT, 0, `a type number below ${this.endId}`, `${id}`);
    const { words } = this.#parts;
    const info = words.getUint32(at + 4, true);
    return {
      id,
      kind: (info >> 24) & 0x1f,
      name: this.string(words.getUint32(at, true)),
      count: info & 0xffff,
      flag: info >>> 31 === 1,
      sizeOrType: words.getUint32(at + 8, true),
      dataAt: at + COMMON,
    };
  }

  /** The first type of this name and one of these kinds, a module's own before the kernel's. */
  find(name: string, kinds: readonly number[]): BtfType | undefined {
    this.#named ??= this.#index();
    for (const id of this.#named.get(name) ?? []) {
      const type = this.type(id);
      if (kinds.includes(type.kind)) return type;
    }
    return this.base?.find(name, kinds);
  }

  #index(): Map<string, number[]> {
    const named = new Map<string, number[]>();
    const { offsets, words } = this.#parts;
    offsets.forEach((at, n) => {
      const name = this.string(words.getUint32(at, true));
      const ids = named.get(name);
      if (ids === undefined) named.set(name, [this.#firstId + n]);
      else if (name !== "") ids.push(this.#firstId + n);
    });
    return named;
  }
}

/** Walks the types once. */
const typeOffsets = (words: DataView): Uint32Array => {
  const offsets = new Uint32Array(Math.floor(words.byteLength / COMMON));
  let count = 0;
  let at = 0;
  while (at < words.byteLength) {
    const left = words.byteLength - at;
    if (left < COMMON) throw new DecodeError(WHAT, at, `a type of ${COMMON} bytes`, `${left}`);
    const info = words.getUint32(at + 4, true);
    const extra = EXTRA[(info >> 24) & 0x1f];
    if (extra === undefined)
      throw new DecodeError(WHAT, at + 4, "a kind of 1 to 19", `${(info >> 24) & 0x1f}`);
    const size = COMMON + extra[0] + extra[1] * (info & 0xffff);
    if (size > left) throw new DecodeError(WHAT, at, `a type of ${size} bytes`, `${left}`);
    offsets[count++] = at;
    at += size;
  }
  return offsets.slice(0, count);
};
