import { expect, it } from "vitest";
import { bitmaps } from "../../designs/bitmaps/bitmaps.ts";
import { LabError } from "../lab-error.ts";
import { DesignHooks } from "./design-hooks.ts";

/** Installs the hooks of RFC v2 in a kernel with these functions, and gives those that were hooked. */
const hookedIn = async (functions: readonly string[]): Promise<string[]> => {
  const addresses = new Map(functions.map((name, index) => [name, BigInt(index)]));
  const hooked: bigint[] = [];
  const hooks = new DesignHooks({
    control: { hook: async (address) => void hooked.push(address) },
    host: { design: bitmaps, run: () => 0 },
    blockBytes: 2 ** 27,
    afterHook: async () => {},
    regionOf: () => ({ start: 0, size: 0 }),
    sync: async () => {},
  });
  await hooks.installInKernel((name) => addresses.get(name));
  return hooked.map((address) => functions[Number(address)]!);
};

const COMMON = [
  "arch_add_memory",
  "create_memory_block_devices",
  "arch_remove_memory",
  "try_remove_memory",
  "online_pages",
];

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
