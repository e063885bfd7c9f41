import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { Btf } from "./btf.ts";
import { LayoutError } from "./btf-layout.ts";
import { readLoadedModule } from "./loaded-module.ts";
import type { ReadMemory } from "./memory-struct.ts";
import { encodeBtf, type TinyType } from "./testing/btf-encoding.ts";
import { symbolTable } from "./testing/tiny-module.ts";

const MODULE = 0xffff_ffff_c020_0000n;
const KALLSYMS = 0xffff_ffff_c020_1000n;
const SYMTAB = 0xffff_ffff_c020_2000n;
const STRTAB = 0xffff_ffff_c020_3000n;
const TEXT = 0xffff_ffff_c010_0000n;

const member = (name: string, type: number, byte: number): (string | number)[] => [name, type, 8 * byte];
const KALLSYMS_TYPE: TinyType = {
  kind: "STRUCT",
  name: "mod_kallsyms",
  size: 24,
  count: 3,
  words: [...member("symtab", 1, 0), ...member("num_symtab", 1, 8), ...member("strtab", 1, 16)],
};
/** struct module of Linux 6.4 and newer. */
const NEW = Btf.decode(
  encodeBtf([
    { kind: "INT", name: "unsigned long", size: 8, words: [64] },
    {
      kind: "STRUCT",
      name: "module",
      size: 256,
      count: 3,
      words: [...member("name", 1, 24), ...member("mem", 1, 80), ...member("kallsyms", 1, 200)],
    },
    {
      kind: "STRUCT",
      name: "module_memory",
      size: 24,
      count: 2,
      words: [...member("base", 1, 0), ...member("size", 1, 12)],
    },
    { kind: "ENUM", name: "mod_mem_type", size: 4, count: 2, words: ["MOD_TEXT", 0, "MOD_DATA", 1] },
    KALLSYMS_TYPE,
  ]),
);
/** struct module of older ones. */
const OLD = Btf.decode(
  encodeBtf([
    { kind: "INT", name: "unsigned long", size: 8, words: [64] },
    {
      kind: "STRUCT",
      name: "module",
      size: 256,
      count: 4,
      words: [
        ...member("name", 1, 24),
        ...member("core_layout", 1, 80),
        ...member("init_layout", 1, 104),
        ...member("kallsyms", 1, 200),
      ],
    },
    {
      kind: "STRUCT",
      name: "module_layout",
      size: 24,
      count: 2,
      words: [...member("base", 1, 0), ...member("size", 1, 12)],
    },
    KALLSYMS_TYPE,
  ]),
);

const { table, strings } = symbolTable([
  { name: "virtio_mem_send_request", value: TEXT + 0x100n, section: 1 },
  { name: "virtio_mem.c", value: 0n, section: 0xfff1, type: 4 },
  { name: "add_memory", value: 0n, section: 0 },
  { name: "virtio_mem_init", value: TEXT, section: 1 },
]);

/** Guest memory with the module in it: one page from each of the addresses above. */
const memory = (count = table.length / 24): ReadMemory => {
  const pages = new Map([MODULE, KALLSYMS, SYMTAB, STRTAB].map((at) => [at, new Uint8Array(0x1000)]));
  const put = (page: bigint, at: number, value: bigint): void =>
    new DataView(pages.get(page)!.buffer).setBigUint64(at, value, true);
  pages.get(MODULE)!.set(Buffer.from("virtio_mem\0"), 24);
  put(MODULE, 80, TEXT);
  put(MODULE, 92, 0x4000n);
  put(MODULE, 200, KALLSYMS);
  put(KALLSYMS, 0, SYMTAB);
  put(KALLSYMS, 8, BigInt(count));
  put(KALLSYMS, 16, STRTAB);
  pages.get(SYMTAB)!.set(table);
  pages.get(STRTAB)!.set(strings);
  return async (address, length) => {
    const page = address & ~0xfffn;
    return pages.get(page)!.slice(Number(address - page), Number(address - page) + length);
  };
};

it.each([
  ["6.4 and newer", NEW, "MOD_TEXT"],
  ["before 6.4", OLD, "core_layout"],
])(
  "a module of Linux %s is read from the guest's memory by the kernel's own layout",
  async (_, types, kind) => {
    const { name, regions, symbols } = await readLoadedModule(types, memory(), MODULE);
    expect({ name, regions }).toEqual({ name: "virtio_mem", regions: [{ kind, base: TEXT, size: 0x4000 }] });
    expect(symbols.count).toBe(2);
    expect(symbols.addressOf("virtio_mem_send_request")).toBe(TEXT + 0x100n);
    expect(symbols.nearest(TEXT + 0x104n)).toEqual({ name: "virtio_mem_send_request", offset: 4 });
    expect(symbols.nearest(TEXT - 1n)).toBeUndefined();
    expect(symbols.next(TEXT)).toBe(TEXT + 0x100n);
  },
);

it("memory that holds no module is refused before much of it is read", async () => {
  await expect(readLoadedModule(NEW, memory(0xffff_ffff), MODULE)).rejects.toThrow(DecodeError);
});

it("a kernel whose struct module has other members is refused", async () => {
  const other = Btf.decode(encodeBtf([{ kind: "STRUCT", name: "module", size: 8 }]));
  await expect(readLoadedModule(other, memory(), MODULE)).rejects.toThrow(LayoutError);
});
