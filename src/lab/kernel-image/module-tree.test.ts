import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, it } from "vitest";
import { ModuleTree, moduleOfFile } from "./module-tree.ts";
import { tinyModule } from "./testing/tiny-module.ts";

const root = mkdtempSync(join(tmpdir(), "tidemark-modules-"));
afterAll(() => rmSync(root, { recursive: true }));

const tree = (name: string, files: Readonly<Record<string, Uint8Array | string>>): string => {
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name, path)), { recursive: true });
    writeFileSync(join(root, name, path), bytes);
  }
  return join(root, name);
};
const module = (name: string, ...depends: string[]): Uint8Array =>
  tinyModule([`name=${name}`, `depends=${depends.join(",")}`]);

const folder = tree("6.12", {
  "kernel/net/failover.ko": module("failover"),
  "kernel/net/net_failover.ko.gz": gzipSync(module("net_failover", "failover")),
  "kernel/drivers/net/virtio-net.ko": module("virtio_net", "net-failover", "virtio"),
  "kernel/drivers/other.ko": module("other", "failover"),
  "kernel/broken.ko": "nothing",
  "kernel/needs.ko": module("needs", "absent"),
  "kernel/circle-a.ko": module("circle_a", "circle_b"),
  "kernel/circle-b.ko": module("circle_b", "circle_a"),
  "modules.builtin": "kernel/drivers/virtio/virtio.ko\n",
});

it("what a module needs comes before it, each once, and what is built in is left out", async () => {
  const modules = await ModuleTree.open(folder);
  const closure = await modules.closure(["virtio_net", "other", "virtio-net"]);
  expect(closure.map(({ module: { name } }) => name)).toEqual([
    "failover",
    "net_failover",
    "virtio_net",
    "other",
  ]);
  expect(closure[1]?.path).toBe(join(folder, "kernel/net/net_failover.ko.gz"));
  expect([modules.isBuiltin("virtio"), modules.isBuiltin("other")]).toEqual([true, false]);
});

it.each([
  ["absent", "expected a module absent, found none"],
  ["needs", "expected a module absent, found none"],
  ["broken", "kernel/broken.ko: ELF header, byte 0: expected 64 bytes, found 7"],
  ["circle_a", "modules need each other: circle_a -> circle_b -> circle_a"],
])("closure of %s is refused: %s", async (name, message) => {
  await expect((await ModuleTree.open(folder)).closure([name])).rejects.toThrow(message);
});

it("a folder without modules is refused", async () => {
  await expect(ModuleTree.open(join(root, "none"))).rejects.toThrow("modules cannot be read: ENOENT");
  const empty = tree("empty", { "kernel/README": "" });
  await expect(ModuleTree.open(empty)).rejects.toThrow(
    `${empty}: expected modules below kernel/, found none`,
  );
});

it.each([
  ["kernel/drivers/virtio/virtio-mem.ko.xz", "virtio_mem"],
  ["a/b.ko", "b"],
  ["a/b.ko.zst", "b"],
  ["a/b.txt", undefined],
  ["a/b.ko.sig", undefined],
])("the module in %s is %s", (path, name) => {
  expect(moduleOfFile(path)).toBe(name);
});
