import { DecodeError } from "../../abi/bytes.ts";
import { BTF_KIND, type Btf, type BtfType } from "./btf.ts";

/** A kernel has no such structure, member, enumerator or function: it is of another release or configuration. */
export class LayoutError extends Error {
  override name = "LayoutError";
}

export interface StructMember {
  readonly name: string;
  /** Bits from the start of the outermost structure. */
  readonly bitOffset: number;
  /** Width of a bitfield; undefined for a whole member. */
  readonly bits: number | undefined;
  readonly type: number;
}

export interface StructLayout {
  readonly name: string;
  readonly kind: "struct" | "union";
  /** Bytes. */
  readonly size: number;
  /** In the order of declaration; members of anonymous structures stand in the place of these. */
  readonly members: readonly StructMember[];
}

const STRUCTURES: readonly number[] = [BTF_KIND.STRUCT, BTF_KIND.UNION];
/** Names and qualifiers of another type. */
const TRANSPARENT: readonly number[] = [
  BTF_KIND.TYPEDEF,
  BTF_KIND.VOLATILE,
  BTF_KIND.CONST,
  BTF_KIND.RESTRICT,
  BTF_KIND.TYPE_TAG,
];
/** No kernel nests as deep; only a damaged section can, by naming itself. */
const DEEPEST = 64;

const tooDeep = (id: number): never => {
  throw new DecodeError("BTF", 0, `types nested at most ${DEEPEST} deep`, `more below type ${id}`);
};

/** The type behind typedefs and qualifiers. */
export const resolveType = (btf: Btf, id: number): BtfType => {
  let type = btf.type(id);
  for (let depth = 0; TRANSPARENT.includes(type.kind); depth++) {
    if (depth === DEEPEST) tooDeep(id);
    type = btf.type(type.sizeOrType);
  }
  return type;
};

/** A plain int may carry a bitfield's width and shift itself, as older compilers wrote them. */
const intBits = (btf: Btf, type: BtfType): { bits: number; shift: number } | undefined => {
  const real = resolveType(btf, type.id);
  if (real.kind !== BTF_KIND.INT) return undefined;
  const encoding = btf.wordsOf(real.id).getUint32(real.dataAt, true);
  const bits = encoding & 0xff;
  const shift = (encoding >> 16) & 0xff;
  return bits === real.sizeOrType * 8 && shift === 0 ? undefined : { bits, shift };
};

function* flattened(btf: Btf, type: BtfType, base: number, depth: number): Generator<StructMember> {
  if (depth === DEEPEST) tooDeep(type.id);
  const words = btf.wordsOf(type.id);
  for (let n = 0; n < type.count; n++) {
    const at = type.dataAt + 12 * n;
    const name = btf.string(words.getUint32(at, true));
    const member = words.getUint32(at + 4, true);
    const offset = words.getUint32(at + 8, true);
    const bitOffset = base + (type.flag ? offset & 0xff_ffff : offset);
    const inner = name === "" ? resolveType(btf, member) : undefined;
    if (inner !== undefined && STRUCTURES.includes(inner.kind)) {
      yield* flattened(btf, inner, bitOffset, depth + 1);
    } else if (type.flag) {
      yield { name, bitOffset, bits: offset >>> 24 || undefined, type: member };
    } else {
      const own = intBits(btf, btf.type(member));
      yield { name, bitOffset: bitOffset + (own?.shift ?? 0), bits: own?.bits, type: member };
    }
  }
}

const layout = (btf: Btf, type: BtfType): StructLayout => ({
  name: type.name,
  kind: type.kind === BTF_KIND.UNION ? "union" : "struct",
  size: type.sizeOrType,
  members: [...flattened(btf, type, 0, 0)].filter(({ name }) => name !== ""),
});

/** The structure of this name, or the one that a typedef of this name stands for; undefined if there is none. */
export const findStruct = (btf: Btf, name: string): StructLayout | undefined => {
  const found = btf.find(name, STRUCTURES);
  if (found !== undefined) return layout(btf, found);
  const alias = btf.find(name, [BTF_KIND.TYPEDEF]);
  if (alias === undefined) return undefined;
  const type = resolveType(btf, alias.id);
  return STRUCTURES.includes(type.kind) ? layout(btf, type) : undefined;
};

/**
 * The structure of this name.
 *
 * @throws LayoutError if there is none
 */
export const structOf = (btf: Btf, name: string): StructLayout => {
  const found = findStruct(btf, name);
  if (found === undefined) throw new LayoutError(`the kernel has no struct ${name}`);
  return found;
};

/** Size of a structure in bytes. @throws LayoutError if there is none of this name */
export const sizeOf = (btf: Btf, name: string): number => structOf(btf, name).size;

/**
 * A member by its path, such as "segment" or "mem.base": through embedded structures, not through pointers.
 *
 * @returns undefined if the structure has no such member
 * @throws LayoutError if there is no such structure
 */
export const findMember = (btf: Btf, structure: string, path: string): StructMember | undefined => {
  let inside: StructLayout | undefined = structOf(btf, structure);
  let bitOffset = 0;
  let member: StructMember | undefined;
  for (const name of path.split(".")) {
    member = inside?.members.find((each) => each.name === name);
    if (member === undefined) return undefined;
    bitOffset += member.bitOffset;
    const type: BtfType = resolveType(btf, member.type);
    inside = STRUCTURES.includes(type.kind) ? layout(btf, type) : undefined;
  }
  return member && { ...member, name: path, bitOffset };
};

/**
 * Bytes from the start of a structure to a member.
 *
 * @throws LayoutError if there is no such structure or member, or it is a bitfield that starts inside a byte
 */
export const offsetOf = (btf: Btf, structure: string, path: string): number => {
  const member = findMember(btf, structure, path);
  if (member === undefined) throw new LayoutError(`struct ${structure} of this kernel has no member ${path}`);
  if (member.bitOffset % 8 !== 0)
    throw new LayoutError(`${structure}.${path} starts inside a byte, at bit ${member.bitOffset}`);
  return member.bitOffset / 8;
};

/**
 * The values of an enum by name, in the order of declaration.
 *
 * @throws LayoutError if the kernel has no such enum
 */
export const enumerators = (btf: Btf, name: string): ReadonlyMap<string, bigint> => {
  const type = btf.find(name, [BTF_KIND.ENUM, BTF_KIND.ENUM64]);
  if (type === undefined) throw new LayoutError(`the kernel has no enum ${name}`);
  const words = btf.wordsOf(type.id);
  const wide = type.kind === BTF_KIND.ENUM64;
  const values = new Map<string, bigint>();
  for (let n = 0; n < type.count; n++) {
    const at = type.dataAt + (wide ? 12 : 8) * n;
    const low = BigInt(words.getUint32(at + 4, true));
    const raw = wide ? (BigInt(words.getUint32(at + 8, true)) << 32n) | low : low;
    values.set(btf.string(words.getUint32(at, true)), type.flag ? BigInt.asIntN(wide ? 64 : 32, raw) : raw);
  }
  return values;
};

/**
 * Value of an enumerator.
 *
 * @param name of the enum
 * @throws LayoutError if the kernel has no such enum or enumerator
 */
export const enumValue = (btf: Btf, name: string, enumerator: string): bigint => {
  const value = enumerators(btf, name).get(enumerator);
  if (value === undefined) throw new LayoutError(`enum ${name} of this kernel has no ${enumerator}`);
  return value;
};
