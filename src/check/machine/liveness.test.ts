import { expect, it } from "vitest";
import { standardConfiguration } from "./configurations/standard-configurations.ts";
import { livenessOf } from "./liveness.ts";

const LONG = { timeout: 600_000 };
const live = (name: string, design: string, states = 100_000) =>
  livenessOf(standardConfiguration(name, design)!, { states });

it.each([
  ["tide", "grow-shrink"],
  ["tide", "kexec-dimm"],
  ["tide", "dimm-refused"],
  ["bitmaps", "grow-shrink"],
  ["bitmaps", "by-hand"],
])("%s: all that is begun in %s ends", LONG, async (design, name) => {
  expect(await live(name, design)).toMatchObject({ verdict: "ends", waits: 0, story: null });
});

it(
  "a driver that waits for memory in use to be freed may wait for ever, and does no wrong",
  LONG,
  async () => {
    const { verdict, waits } = await live("convert-refused", "tide");
    expect([verdict, waits > 0]).toEqual(["ends", true]);
  },
);

it("callbacks asks to have everything unplugged again and again, and releases nothing", LONG, async () => {
  const { broken, story } = await live("kexec", "callbacks");
  expect([broken, story?.roundFrom, story?.path.length]).toEqual([["endless"], 15, 31]);
  expect(story?.rows.filter(({ effects }) => effects.includes("vm0 UNPLUG_ALL BUSY"))).toHaveLength(2);
});

it("a panic is told before anything is said of ends", LONG, async () => {
  expect(await live("release-fails", "bitmaps")).toMatchObject({ verdict: "broken", broken: ["panic"] });
});

it("more states than were asked for leave it open", LONG, async () => {
  expect(await live("replug", "tide", 600)).toMatchObject({ verdict: "partial", story: null });
});
