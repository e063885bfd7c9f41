import { expect, it } from "vitest";
import { KERNEL_BYTES, KERNEL_START } from "../src/machine/hand-over.ts";
import { GIB, MIB } from "../src/units.ts";
import { load, playInModel } from "./model-machine.ts";

const boot = async (memory: number, unaccepted: string) =>
  (
    await playInModel(
      load(`name: small
machine: {memory: ${memory / MIB}M, firmware: {unaccepted: ${unaccepted}}}
guest: {accept: lazy}
steps: [boot]
`),
    )
  ).report;

const SIZES = [64, 72, 96, 128, 200, 256, 280, 512].map((size) => size * MIB);

it.each(SIZES)(
  "of %i bytes firmware accepts what it loads the kernel to, whatever it leaves",
  async (size) => {
    for (const unaccepted of ["all", `[{at: 16M, size: ${size / MIB - 16}M}]`]) {
      const { verdict, violations, fate, map } = await boot(size, unaccepted);
      expect([verdict, violations, fate.state]).toEqual(["held", [], "running"]);
      const end = Math.min(size, KERNEL_START + KERNEL_BYTES);
      const kernel = map.after.runs.filter((run) => run.start < end && KERNEL_START < run.end);
      expect(kernel.length).toBeGreaterThan(0);
      expect(kernel.every(({ accepted }) => accepted)).toBe(true);
    }
  },
);

it("of all memory that is large enough firmware accepts a quarter of what is low, and 512 MiB at most", async () => {
  for (const [size, kept] of [
    [512 * MIB, 128 * MIB],
    [GIB, 256 * MIB],
    [2 * GIB, 512 * MIB],
  ] as const)
    expect((await boot(size, "all")).bitmaps?.physBase).toBe(kept);
  // Of less than four kernels the quarter ends in one.
  expect((await boot(256 * MIB, "all")).bitmaps?.physBase).toBe(70 * MIB);
});
