import { expect, it } from "vitest";
import { GIB, KIB, MIB } from "../../units.ts";
import { USE } from "../mem-map.ts";
import { ZONE, zoneNumber } from "../page-allocator/zones.ts";
import { fakeKernel, run } from "../testing/fake-kernel.ts";
import { bootLayout } from "./boot-layout.ts";
import { bootMemory } from "./boot-memory.ts";

const RAM = [{ start: 4 * GIB, end: 6 * GIB }];
const bare = (rest: object = {}) => bootLayout(RAM, { early: [], hugePages: false, ...rest });
const all = { window: RAM[0]!, ranges: RAM };

it("lists 2 GiB of unaccepted memory as 512 chunks and accepts none of it in lazy mode", () => {
  const { k, hw } = fakeKernel({ top: 8 * GIB, boot: bare(), unaccepted: all });
  expect(run(k, bootMemory)).toBe(0);
  const normal = zoneNumber(0, ZONE.NORMAL);
  expect(k.zones.length[k.zones.unacceptedList(normal)]).toBe(512);
  expect(k.zones.unaccepted[normal]).toBe((2 * GIB) / 4096);
  expect(k.zones.free[normal]).toBe((2 * GIB) / 4096);
  expect(k.zones.managed[normal]).toBe((2 * GIB) / 4096);
  expect(hw.accepts).toBe(0);
});

it("accepts 2 GiB, 2 MiB at a time, in eager mode and lists nothing", () => {
  const { k, hw } = fakeKernel({ top: 8 * GIB, boot: bare(), unaccepted: all, accept: "eager" });
  run(k, bootMemory);
  expect(hw.accepts).toBe(1024);
  expect(k.zones.sum(k.zones.unaccepted)).toBe(0);
  expect(hw.doubles).toEqual([]);
});

it("takes the memmap, 64 bytes a page, from the top, and accepts it and the odd half chunk below it", () => {
  const early = bootLayout(RAM).early.filter((entry) => entry.memmap === true);
  const { k, hw } = fakeKernel({ top: 8 * GIB, boot: bare({ early }), unaccepted: all });
  run(k, bootMemory);
  // 16 sections of RAM and the one that holds the table: 17 units of 2 MiB of struct pages, the last of
  // the window, so no guard. The half chunk below them is no whole chunk: accepted when it is freed.
  expect(hw.accepts).toBe(17 + 1);
  expect(hw.isAccepted(6 * GIB - 36 * MIB, 6 * GIB)).toBe(true);
  expect(k.mm.useAt((6 * GIB - 4 * KIB) / 4096)).toBe(USE.MEMMAP);
  expect(k.zones.sum(k.zones.unaccepted)).toBe((2 * GIB - 36 * MIB) / 4096);
  expect(k.zones.sum(k.zones.free)).toBe((2 * GIB - 34 * MIB) / 4096);
});
