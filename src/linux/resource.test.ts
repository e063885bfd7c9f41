import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { sharedData } from "../../test/shared-data.ts";
import { ERRNO } from "./errno.ts";
import { NO_RESOURCE, RESOURCE, ResourceTree } from "./resource.ts";

const RAM = RESOURCE.SYSTEM_RAM | RESOURCE.BUSY;
const DRIVER_RAM = RAM | RESOURCE.DRIVER_MANAGED;

/** Builds a tree from the text of /proc/iomem: indent says the parent. */
const fromText = (text: string): ResourceTree => {
  const tree = new ResourceTree();
  const parents = [0];
  for (const line of text.trimEnd().split("\n")) {
    const match = /^( *)([0-9a-f]+)-([0-9a-f]+) : (.*)$/.exec(line)!;
    const depth = match[1]!.length / 2;
    const start = Number.parseInt(match[2]!, 16);
    const size = Number.parseInt(match[3]!, 16) + 1 - start;
    parents[depth + 1] = tree.insert(parents[depth]!, start, size, tree.intern(match[4]!), RESOURCE.BUSY);
    expect(parents[depth + 1]).not.toBe(NO_RESOURCE);
  }
  return tree;
};

const recorded = [
  "rec-virtiomem-2node.boot",
  "rec-virtiomem-2node.after-plug",
  "rec-virtiomem-2node.after-shrink",
  "rec-pcdimm-2node.boot",
  "rec-pcdimm-2node.after-plug",
];
for (const name of recorded) {
  const path = sharedData("proc", `${name}.iomem.txt`);
  it.skipIf(path === undefined)(`prints ${name} as the kernel did (skipped without recordings)`, () => {
    const text = readFileSync(path!, "utf8");
    expect(fromText(text).iomemText()).toBe(text);
  });
}

/** A tree with two virtio-mem regions, as their driver reserves them. */
const virtioTree = (): ResourceTree => {
  const tree = new ResourceTree();
  tree.insert(0, 0x10_0000, 0x7fee_0000, tree.intern("System RAM"), RAM);
  const reserve = (start: number, size: number, name: string) =>
    tree.request(start, size, tree.intern(name), RESOURCE.SYSTEM_RAM | RESOURCE.EXCLUSIVE);
  reserve(0x1_0000_0000, 0x2_0000_0000, "virtio0");
  reserve(0x3_0000_0000, 0x1_0000_0000, "virtio1");
  return tree;
};
const addBlock = (tree: ResourceTree, start: number, size = 0x800_0000): number => {
  const row = tree.request(start, size, tree.intern("System RAM (virtio_mem)"), DRIVER_RAM);
  return row === NO_RESOURCE ? row : tree.merge(row);
};

it("puts driver-managed memory under its device and merges neighbours", () => {
  const tree = virtioTree();
  for (let block = 0; block < 12; block++) addBlock(tree, 0x1_0000_0000 + block * 0x800_0000);
  expect(tree.iomemText()).toBe(
    [
      "00100000-7ffdffff : System RAM",
      "100000000-2ffffffff : virtio0",
      "  100000000-15fffffff : System RAM (virtio_mem)",
      "300000000-3ffffffff : virtio1",
      "",
    ].join("\n"),
  );
});

it("merges a block that closes a gap with both neighbours", () => {
  const tree = virtioTree();
  addBlock(tree, 0x1_0000_0000);
  addBlock(tree, 0x1_1000_0000);
  expect(tree.iomemText().match(/virtio_mem/g)).toHaveLength(2);
  addBlock(tree, 0x1_0800_0000);
  expect(tree.iomemText()).toContain("  100000000-117ffffff : System RAM (virtio_mem)\n");
});

it("shrinks and splits merged memory when blocks go", () => {
  const tree = virtioTree();
  for (let block = 0; block < 4; block++) addBlock(tree, 0x1_0000_0000 + block * 0x800_0000);
  expect(tree.releaseAdjustable(0x1_0800_0000, 0x800_0000)).toBe(0);
  expect(tree.releaseAdjustable(0x1_0800_0000, 0x800_0000)).toBe(ERRNO.EINVAL);
  expect(tree.releaseAdjustable(0x1_1800_0000, 0x800_0000)).toBe(0);
  expect(tree.iomemText().split("\n").slice(1, 4)).toEqual([
    "100000000-2ffffffff : virtio0",
    "  100000000-107ffffff : System RAM (virtio_mem)",
    "  110000000-117ffffff : System RAM (virtio_mem)",
  ]);
});

it.each([
  ["overlaps busy memory", 0x7f00_0000, 0x800_0000],
  ["lies inside busy memory", 0x100_0000, 0x100_0000],
  ["covers a device's region and more", 0xf800_0000, 0x1000_0000],
  ["is empty", 0x5_0000_0000, 0],
  ["leaves the address space", 2 ** 52 - 0x1000, 0x2000],
])("refuses a request that %s and stays as it was", (_rule, start, size) => {
  const tree = virtioTree();
  const before = tree.iomemText();
  expect(tree.canRequest(start, size)).toBe(false);
  expect(addBlock(tree, start, size)).toBe(NO_RESOURCE);
  expect(tree.iomemText()).toBe(before);
});

it("uses rows again, so adding and removing for ever does not grow the tree", () => {
  const tree = virtioTree();
  for (let turn = 0; turn < 1000; turn++) {
    addBlock(tree, 0x1_0000_0000);
    tree.releaseAdjustable(0x1_0000_0000, 0x800_0000);
  }
  expect(tree.words[0]).toBe(5);
});

it("holds exactly the blocks added and not released, whatever the order", () => {
  const block = 0x800_0000;
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 80 }), (choices) => {
      const tree = virtioTree();
      const there = new Set<number>();
      for (const n of choices) {
        const at = 0x1_0000_0000 + n * block;
        if (there.delete(n)) expect(tree.releaseAdjustable(at, block)).toBe(0);
        else {
          expect(addBlock(tree, at)).not.toBe(NO_RESOURCE);
          there.add(n);
        }
      }
      const shown = new Set<number>();
      for (const [, low, high] of tree.iomemText().matchAll(/ {2}(\w+)-(\w+) : System/g)) {
        const end = Number.parseInt(high!, 16);
        for (let at = Number.parseInt(low!, 16); at < end; at += block)
          shown.add((at - 0x1_0000_0000) / block);
      }
      expect([...shown].sort()).toEqual([...there].sort());
    }),
  );
});
