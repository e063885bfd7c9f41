import { BTF_KIND, type Btf } from "./btf.ts";

/** A function's prototype, types written as in C. */
export interface FunctionPrototype {
  readonly name: string;
  readonly returns: string;
  readonly parameters: readonly { readonly name: string; readonly type: string }[];
}

const PREFIX: Readonly<Record<number, string>> = {
  [BTF_KIND.STRUCT]: "struct ",
  [BTF_KIND.UNION]: "union ",
  [BTF_KIND.ENUM]: "enum ",
  [BTF_KIND.ENUM64]: "enum ",
  [BTF_KIND.FWD]: "struct ",
  [BTF_KIND.VOLATILE]: "volatile ",
  [BTF_KIND.CONST]: "const ",
};
/** A type that refers to itself only a damaged section has; the text then ends in dots. */
const DEEPEST = 32;

/** The type as C writes it in a cast; anonymous ones and function pointers in short. */
export const typeText = (btf: Btf, id: number, depth = 0): string => {
  const type = btf.type(id);
  if (depth === DEEPEST) return "...";
  const inner = (): string => typeText(btf, type.sizeOrType, depth + 1);
  switch (type.kind) {
    case BTF_KIND.VOID:
      return "void";
    case BTF_KIND.PTR:
      return `${inner()} *`.replace(/\* \*$/, "**");
    case BTF_KIND.ARRAY: {
      const words = btf.wordsOf(id);
      const element = typeText(btf, words.getUint32(type.dataAt, true), depth + 1);
      return `${element}[${words.getUint32(type.dataAt + 8, true)}]`;
    }
    case BTF_KIND.VOLATILE:
    case BTF_KIND.CONST:
      return `${PREFIX[type.kind]}${inner()}`;
    case BTF_KIND.RESTRICT:
    case BTF_KIND.TYPE_TAG:
      return inner();
    case BTF_KIND.FUNC_PROTO:
      return "function";
    case BTF_KIND.FWD:
      return `${type.flag ? "union" : "struct"} ${type.name}`;
    default:
      return `${PREFIX[type.kind] ?? ""}${type.name || "{...}"}`;
  }
};

/** The prototype of a function; undefined if the kernel tells none of this name. */
export const prototypeOf = (btf: Btf, name: string): FunctionPrototype | undefined => {
  const found = btf.find(name, [BTF_KIND.FUNC]);
  if (found === undefined) return undefined;
  const prototype = btf.type(found.sizeOrType);
  if (prototype.kind !== BTF_KIND.FUNC_PROTO) return undefined;
  const words = btf.wordsOf(prototype.id);
  const parameters = Array.from({ length: prototype.count }, (_, n) => {
    const at = prototype.dataAt + 8 * n;
    const type = words.getUint32(at + 4, true);
    const label = btf.string(words.getUint32(at, true));
    return { name: label, type: label === "" && type === 0 ? "..." : typeText(btf, type) };
  });
  return { name, returns: typeText(btf, prototype.sizeOrType), parameters };
};
