import { expect, it } from "vitest";
import { setRange } from "../flat/bitmap.ts";
import { BLOCKED, Frame, TASK_WORDS } from "../flat/procedure.ts";
import { AcceptingList } from "./accepting-list.ts";
import { X86_64 } from "./geometry.ts";
import { Cpus, KERNEL_PROCEDURES, type Kernel } from "./kernel.ts";
import { Locks } from "./locks.ts";
import { acceptMemory, rangeContainsUnacceptedMemory } from "./unaccepted-memory.ts";
import { UnacceptedTable } from "./unaccepted-table.ts";
import { VARIANTS } from "./variant.ts";

const BASE = 0x1_0000_0000;
const UNIT = 0x20_0000;

const recordAccept = KERNEL_PROCEDURES.declare("test_accept", {
  args: ["start", "end"],
  locals: [],
  steps: ["enter", "leave"],
});
const accepts = new WeakMap<Kernel, string[]>();
recordAccept.define({
  enter: (k, f) => {
    const unit = (slot: number) => (f.get(slot) - BASE) / UNIT;
    accepts.get(k)!.push(`[${unit(recordAccept.v.start)},${unit(recordAccept.v.end)})`);
    return recordAccept.at.leave;
  },
  leave: (_k, f) => f.returns(1),
});

/** A kernel whose table covers 1024 units from 4 GiB, every bit set unless told otherwise. */
const kernel = (
  variant: "6.12" | "7.3",
  bits: readonly [number, number][] = [[0, 1024]],
  plugged?: Uint8Array,
) => {
  const unaccepted = new Uint8Array(128);
  for (const [from, to] of bits) setRange(unaccepted, from, to);
  const lines: string[] = [];
  const parts = {
    geometry: X86_64,
    variant: VARIANTS[variant],
    table: new UnacceptedTable(0x70000, plugged === undefined ? 1 : 2, BASE, UNIT, unaccepted, plugged),
    accepting: new AcceptingList(4),
    locks: new Locks(0),
    cpus: new Cpus(4),
    platform: {
      name: "tdx",
      accept: recordAccept.procedure,
      release: recordAccept.procedure,
      acceptPanic: "x",
    },
    printk: (line: string) => lines.push(line),
  };
  const k = parts as unknown as Kernel;
  accepts.set(k, []);
  return k;
};

const task = (number = 0) => new Frame(KERNEL_PROCEDURES, new Float64Array(TASK_WORDS), number, number);

const run = (k: Kernel, start: number, size: number): string[] => {
  const f = task();
  f.start(acceptMemory, start, size);
  while (!f.idle) expect(f.step(k)).not.toBe(BLOCKED);
  return accepts.get(k)!;
};

it.each([
  [0x1_0000_0000, 0x1000, "[0,1)", "[0,1)"],
  [0x1_001f_f000, 0x1000, "[0,2)", "[0,2)"],
  [0x1_0020_0000, 0x20_0000, "[1,3)", "[1,3)"],
  [0x1_0000_0000, 0x40_0000, "[0,3)", "[0,3)"],
  [0xffff_f000, 0x1000, "[0,1)", "[0,1)"],
  [0xff00_0000, 0x1000, "", ""],
  [0x1_7fe0_0000, 0x20_0000, "[1023,1024)", "[1023,1024)"],
  [0x1_8000_0000, 0x20_0000, "", ""],
  [0x1_001f_fff0, 0x8, "[0,2)", "[0,1)"],
  [0x1_001f_f800, 0x7ff, "[0,2)", "[0,1)"],
  // Size 0 is not a no-op inside the window.
  [0x1_0000_1000, 0, "[0,1)", "[0,1)"],
])("accept_memory(%i, +%i) takes units %s on 7.3 and %s on 6.12", (start, size, newer, older) => {
  expect(run(kernel("7.3"), start, size).join()).toBe(newer);
  expect(run(kernel("6.12"), start, size).join()).toBe(older);
});

it("accepts each run of set bits on its own and clears the bits after it", () => {
  const k = kernel("7.3", [
    [3, 5],
    [8, 9],
  ]);
  const f = task();
  f.start(acceptMemory, BASE, 16 * UNIT);
  while (accepts.get(k)!.length === 0) f.step(k);
  expect(k.table!.unaccepted[0]).toBe(0b0001_1000);
  while (!f.idle) f.step(k);
  expect(accepts.get(k)).toEqual(["[3,5)", "[8,9)"]);
  expect([...k.table!.unaccepted]).toEqual([...new Uint8Array(128)]);
});

it("takes only units that are plugged too where the table has a plugged bitmap", () => {
  const plugged = new Uint8Array(128);
  setRange(plugged, 4, 6);
  expect(run(kernel("7.3", [[0, 1024]], plugged), BASE, 16 * UNIT)).toEqual(["[4,6)"]);
});

it("makes an overlapping request wait and a disjoint one go on", () => {
  const k = kernel("7.3");
  const [first, neighbour, far] = [task(0), task(1), task(2)];
  first.start(acceptMemory, BASE, 2 * UNIT);
  while (accepts.get(k)!.length === 0) first.step(k);
  // [2,4) meets the guard of [0,2).
  neighbour.start(acceptMemory, BASE + 2 * UNIT, UNIT);
  neighbour.step(k);
  expect(neighbour.step(k)).toBe(BLOCKED);
  far.start(acceptMemory, BASE + 4 * UNIT, UNIT);
  far.step(k);
  expect(far.step(k)).not.toBe(BLOCKED);
  while (!first.idle) first.step(k);
  expect(neighbour.step(k)).not.toBe(BLOCKED);
});

it("has interrupts off on its vCPU from registration to the end", () => {
  const k = kernel("7.3");
  const f = task(2);
  f.start(acceptMemory, BASE, UNIT);
  f.step(k);
  expect(k.cpus.irqsOff[2]).toBe(0);
  while (f.step(k) !== BLOCKED && !f.idle) if (!f.idle) expect(k.cpus.irqsOff[2]).toBe(3);
  expect(k.cpus.irqsOff[2]).toBe(0);
});

it.each([
  ["the guard unit behind a unit-aligned end counts", [[2, 3]], BASE, 2 * UNIT, true],
  ["a unit-wide stride from an unaligned start misses the last unit", [[1, 2]], BASE + UNIT / 2, UNIT, false],
  ["a range below the window does not count", [[0, 1]], 0xff00_0000, 0x1000, false],
  ["a range that ends at phys_base meets its guard", [[0, 1]], 0xffff_f000, 0x1000, true],
] as const)("range_contains_unaccepted_memory: %s", (_rule, bits, start, size, answer) => {
  const k = kernel("7.3", bits as unknown as [number, number][]);
  expect(rangeContainsUnacceptedMemory(k, start, size)).toBe(answer);
});

it("every chunk that its callers ask about, aligned to its size, is answered for all of its units and its guard (B32)", () => {
  const units = 8;
  for (let unset = 0; unset < units; unset++) {
    for (const variant of ["6.12", "7.3"] as const) {
      const k = kernel(variant, [[unset, unset + 1]]);
      for (let order = 0; order <= 10; order++) {
        const size = 4096 * 2 ** order;
        for (let start = BASE; start + size < BASE + (units - 1) * UNIT; start += size) {
          const last = Math.ceil((start + size - BASE) / UNIT) - 1;
          const guard = (start + size) % UNIT === 0 ? last + 1 : last;
          const expected = Math.floor((start - BASE) / UNIT) <= unset && unset <= guard;
          if (rangeContainsUnacceptedMemory(k, start, size) !== expected)
            expect([variant, unset, start, size]).toEqual("answered for all of its units");
        }
      }
    }
  }
});

it("has nothing to accept without a table", () => {
  const k = { ...kernel("7.3"), table: undefined } as Kernel;
  expect(rangeContainsUnacceptedMemory(k, BASE, UNIT)).toBe(false);
  const f = task();
  f.start(acceptMemory, BASE, UNIT);
  f.step(k);
  expect(f.idle).toBe(true);
});
