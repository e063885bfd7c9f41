import { expect, it } from "vitest";
import { bitmaps } from "../../designs/bitmaps/bitmaps.ts";
import { DESIGNS } from "../../designs/designs.ts";
import { shared } from "../../designs/shared.ts";
import type { Design } from "../../linux/design.ts";
import { RangeSet } from "../enforce/range-set.ts";
import { LabError } from "../lab-error.ts";
import { DesignHooks } from "./design-hooks.ts";

/** Nobody calls anything. */
const STANDING = { back: async () => {}, again: () => {} };
const COMMON = [
  "arch_add_memory",
  "create_memory_block_devices",
  "arch_remove_memory",
  "try_remove_memory",
  "online_pages",
];
const DRIVER = [
  "virtio_mem_send_plug_request",
  "virtio_mem_send_unplug_request",
  "virtio_mem_send_request",
  "virtio_mem_fake_online",
];

/** Installs a design's hooks in a kernel with these functions, and gives those that were hooked. */
const hookedIn = async (functions: readonly string[], design: Design = bitmaps): Promise<string[]> => {
  const addresses = new Map(functions.map((name, index) => [name, BigInt(index)]));
  const hooked: bigint[] = [];
  const hooks = new DesignHooks({
    control: { ...STANDING, hook: async (address) => void hooked.push(address) },
    host: { design, run: () => 0, hidden: new RangeSet() },
    blockBytes: 2 ** 27,
    afterHook: async () => {},
    regionOf: () => ({ start: 0, size: 0 }),
    sync: async () => {},
  });
  await hooks.installInKernel((name) => addresses.get(name));
  if (functions.includes(DRIVER[0]!)) await hooks.installInDriver((name) => addresses.get(name));
  return hooked.map((address) => functions[Number(address)]!);
};

it("where memory is added by a function that others share, that one is hooked", async () => {
  expect(await hookedIn(["add_memory_resource", ...COMMON])).toContain("add_memory_resource");
  const newer = await hookedIn(["add_memory_resource", "__add_memory_resource", ...COMMON]);
  expect(newer).toContain("__add_memory_resource");
  expect(newer).not.toContain("add_memory_resource");
});

it("a kernel that lacks a function is refused, and the line names it", async () => {
  const refused = hookedIn(COMMON);
  await expect(refused).rejects.toThrow(LabError);
  await expect(refused).rejects.toThrow(
    "design bitmaps: expected a function add_memory_resource in the kernel to hook, found none",
  );
});

it.each(DESIGNS.filter((design) => design !== shared).map((design) => [design.name, design] as const))(
  "%s is hooked, if it has anything to hook",
  async (_name, design) => {
    const places = await hookedIn(["add_memory_resource", ...COMMON, ...DRIVER], design);
    expect(places.length > 0).toBe(Object.keys(design.hooks).length > 0);
  },
);

it("a design with a hook that no function stands for is refused as a whole", async () => {
  const refused = hookedIn(["add_memory_resource", ...COMMON, ...DRIVER], shared);
  await expect(refused).rejects.toThrow(LabError);
  await expect(refused).rejects.toThrow(
    "design shared: expected a function of the kernel for its hook virtioOnline, found none",
  );
});
