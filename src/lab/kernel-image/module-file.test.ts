import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { Btf } from "./btf.ts";
import { moduleInfo, moduleSymbols, moduleTypes, readModule } from "./module-file.ts";
import { encodeBtf } from "./testing/btf-encoding.ts";
import { tinyElf } from "./testing/tiny-elf.ts";
import { tinyModule } from "./testing/tiny-module.ts";

const INFO = [
  "license=GPL",
  "alias=a",
  "alias=b=c",
  "depends=virtio-ring,virtio",
  "name=virtio_mem",
  "vermagic=6.12.0 SMP ",
];
const file = tinyModule(INFO, [
  { name: "virtio_mem_send_request", value: 0x10n, section: 1 },
  { name: "add_memory", value: 0n, section: 0 },
]);

it("a module tells its name, what it needs and the kernel it is for", async () => {
  const module = await readModule(file);
  expect(module).toMatchObject({
    name: "virtio_mem",
    depends: ["virtio_ring", "virtio"],
    vermagic: "6.12.0 SMP",
  });
  expect(moduleInfo(module.elf).get("alias")).toEqual(["a", "b=c"]);
});

it("its symbols are in the table's order", async () => {
  const symbols = moduleSymbols(await readModule(file));
  expect(symbols.map(({ name, value, section }) => [name, value, section])).toEqual([
    ["", 0n, 0],
    ["virtio_mem_send_request", 0x10n, 1],
    ["add_memory", 0n, 0],
  ]);
});

it("a compressed module is the same module", async () => {
  const module = await readModule(new Uint8Array(gzipSync(file)));
  expect(module.name).toBe("virtio_mem");
  expect(module.elf.file).toEqual(file);
});

it("its types continue the kernel's; one without has none", async () => {
  const kernel = Btf.decode(encodeBtf([{ kind: "STRUCT", name: "zone", size: 64 }]));
  const own = encodeBtf([{ kind: "STRUCT", name: "virtio_mem", size: 568 }], kernel.endString);
  const sections = [
    { name: ".modinfo", addr: 0n, bytes: Buffer.from("name=virtio_mem\0") },
    { name: ".BTF", addr: 0n, bytes: own },
  ];
  const module = await readModule(tinyElf([], sections, { type: 1 }));
  const types = moduleTypes(module, kernel);
  expect([types?.find("virtio_mem", [4])?.sizeOrType, types?.find("zone", [4])?.sizeOrType]).toEqual([
    568, 64,
  ]);
  expect(moduleTypes(await readModule(file), kernel)).toBeUndefined();
});

it.each([
  ["no module", tinyElf([], []), "kernel module, byte 16: expected a relocatable file, found EXEC"],
  [
    "without a name",
    tinyModule(["license=GPL"]),
    "kernel module, byte 0: expected a name in .modinfo, found none",
  ],
  ["text", Buffer.from("x".repeat(100)), "ELF file, byte 0: expected 0x7f454c46"],
])("a file that is %s is refused", async (_, bytes, message) => {
  await expect(readModule(bytes)).rejects.toThrow(message);
});

it("a module with any bytes changed is read or throws DecodeError", async () => {
  const change = fc.tuple(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 }));
  const property = async (changes: [number, number][]): Promise<void> => {
    const bytes = file.slice();
    for (const [at, value] of changes) bytes[at] = value;
    try {
      moduleSymbols(await readModule(bytes));
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError);
    }
  };
  await fc.assert(fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), property), {
    numRuns: 300,
  });
});
