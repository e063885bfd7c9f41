import { expect, it } from "vitest";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { play } from "../src/scenario/player.ts";
import { ScenarioError } from "../src/scenario/scenario-error.ts";
import { load } from "./model-machine.ts";

const machineWithPool = (poolAddress: string) =>
  load(`
name: pool
machine: {memory: 4G, firmware: {unaccepted: above-4g, poolAddress: ${poolAddress}}}
steps: [boot]
`);

it.each([
  ["0x40000000", 0x40000000, 0],
  ["0x40000018", 0x40000018, 24],
  ["256M", 0x10000000, 0],
])(
  "the unaccepted table lies behind poolAddress %s, at the same byte of its page",
  async (at, start, byte) => {
    const { report } = await play(machineWithPool(at), new ModelWorld(), { version: "" });
    const line = report.dmesg.find((text) => text.includes("Unaccepted="))!;
    const table = Number(/Unaccepted=(0x[0-9a-f]+)/.exec(line)![1]);
    expect([report.verdict, table % 4096]).toEqual(["held", byte]);
    expect(table - start).toBeGreaterThan(0);
    expect(table - start).toBeLessThan(64 * 4096);
  },
);

it.each(["5G", "3G", "0x7ffff000", "4P"])("there is no accepted memory for pools at %s", async (at) => {
  const playing = play(machineWithPool(at), new ModelWorld(), { version: "" });
  await expect(playing).rejects.toThrow(ScenarioError);
  await expect(playing).rejects.toThrow(
    "of accepted memory from poolAddress on, the machine has 0 MiB there",
  );
});
