import fc from "fast-check";
import { expect, it } from "vitest";
import { GIB, MIB, PAGE_SIZE } from "../../units.ts";
import { DirectMapWatch } from "./direct-map-watch.ts";
import { DIRECT_MAP, PRESENT, TablesForTest } from "./testing/tables-for-test.ts";

const UNIT = 2 * MIB;
const END = GIB + 8 * UNIT;

/** A debugger that keeps the watchpoints that are set, and counts how often the guest was stopped for them. */
const fakeControl = () => {
  const set = new Map<string, { start: number; end: number }>();
  const key = (address: bigint, length: number): string => `${address}+${length}`;
  const gdb = {
    batch: <T>(work: () => T): T => work(),
    setWatchpoint: async (_kind: string, address: bigint, length: number): Promise<void> => {
      const start = Number(address - DIRECT_MAP);
      set.set(key(address, length), { start, end: start + length });
    },
    clearWatchpoint: async (_kind: string, address: bigint, length: number): Promise<void> => {
      expect(set.delete(key(address, length))).toBe(true);
    },
  };
  const control = {
    gdb,
    stops: 0,
    whileStopped: async <T>(work: (on: typeof gdb) => Promise<T>): Promise<T> => {
      control.stops++;
      return work(gdb);
    },
  };
  const ranges = () => [...set.values()];
  const watches = (gpa: number): boolean => ranges().some(({ start, end }) => start <= gpa && gpa < end);
  return { control, ranges, watches };
};

const armed = async () => {
  const tables = new TablesForTest(4);
  tables.mapLarge(GIB, 6 * UNIT);
  const { control, ranges, watches } = fakeControl();
  const watch = new DirectMapWatch(control, tables.memory);
  await watch.forbid(GIB, END);
  await watch.arm(DIRECT_MAP);
  await watch.withdraw(tables.cpu);
  /** Whether an access would be caught, as the guest's CPU meets it. */
  const catches = async (gpa: number): Promise<boolean> => {
    const unit = gpa - (gpa % UNIT);
    const absent = unit < GIB + 6 * UNIT && (tables.entry(unit) & PRESENT) === 0n;
    if (!absent) {
      const range = ranges().find(({ start, end }) => start <= gpa && gpa < end);
      if (range === undefined) return false;
      // The stop names where the watchpoint begins, and not which of its pages was touched.
      expect(watch.rangeAt(DIRECT_MAP + BigInt(range.start))).toEqual(range);
      await watch.giveParts(range);
      return watches(gpa);
    }
    expect(watch.absentAt(DIRECT_MAP + BigInt(gpa))).toBe(gpa);
    return !(await watch.givePart(gpa));
  };
  return { tables, control, watch, watches, catches };
};

it("what large pages map is allowed without a stop, the rest by a change of its watchpoint", async () => {
  const { control, watch, watches, catches } = await armed();
  expect([watches(GIB), watches(END - 1)]).toEqual([false, true]);
  expect(await catches(GIB)).toBe(true);
  await watch.allow(GIB, GIB + 5 * UNIT);
  expect(control.stops).toBe(0);
  expect([await catches(GIB), await catches(GIB + 5 * UNIT)]).toEqual([false, true]);
  await watch.allow(END - UNIT, END);
  expect(control.stops).toBe(1);
  expect([await catches(END - 1), await catches(END - UNIT - 1)]).toEqual([false, true]);
});

it("a unit that is allowed page by page comes back whole with its last page", async () => {
  const { control, tables, watch } = await armed();
  for (let at = GIB; at < GIB + UNIT; at += PAGE_SIZE) {
    expect(tables.entry(GIB) & PRESENT).toBe(0n);
    await watch.allow(at, at + PAGE_SIZE);
  }
  expect(tables.entry(GIB) & PRESENT).toBe(PRESENT);
  expect(control.stops).toBe(0);
});

it("a watched unit that is allowed page by page stops the guest once, with its last page", async () => {
  const { control, watch, watches, catches } = await armed();
  const unit = END - UNIT;
  for (let at = unit; at < END; at += PAGE_SIZE) {
    expect(control.stops).toBe(0);
    expect(watches(at)).toBe(true);
    await watch.allow(at, at + PAGE_SIZE);
  }
  expect(control.stops).toBe(1);
  expect([await catches(unit), await catches(END - 1), await catches(unit - 1)]).toEqual([
    false,
    false,
    true,
  ]);
});

it("of a watched unit a part that is allowed may be touched before the rest is", async () => {
  const { control, watch, watches, catches } = await armed();
  const unit = END - UNIT;
  await watch.allow(unit + PAGE_SIZE, unit + 3 * PAGE_SIZE);
  expect(await catches(unit + PAGE_SIZE)).toBe(false);
  expect([unit, unit + PAGE_SIZE, unit + 2 * PAGE_SIZE, unit + 3 * PAGE_SIZE].map(watches)).toEqual([
    true,
    false,
    false,
    true,
  ]);
  // What was let go of is not let go of twice, and what is forbidden again is caught again.
  expect(await watch.giveParts({ start: unit, end: unit + PAGE_SIZE })).toBe(false);
  await watch.allow(unit + 4 * PAGE_SIZE, unit + 5 * PAGE_SIZE);
  await watch.forbid(unit + 4 * PAGE_SIZE, unit + 5 * PAGE_SIZE);
  expect(await catches(unit + 4 * PAGE_SIZE)).toBe(true);
  expect(control.stops).toBe(0);
});

it("after another kernel was entered everything forbidden is watched until it has made its mapping", async () => {
  const { tables, watch, watches } = await armed();
  await watch.allow(GIB, GIB + PAGE_SIZE);
  await watch.disarm();
  expect(watches(END - 1)).toBe(false);
  await watch.arm(DIRECT_MAP);
  expect([watches(GIB), watches(GIB + PAGE_SIZE), watches(END - 1)]).toEqual([false, true, true]);
  expect(watch.absentAt(DIRECT_MAP + BigInt(GIB + UNIT))).toBeUndefined();
  // The page tables of the kernel before are not written any more: something else lies there by now.
  const left = tables.entry(GIB + UNIT);
  await watch.allow(GIB + UNIT, GIB + 2 * UNIT);
  expect(tables.entry(GIB + UNIT)).toBe(left);
});

it("an access is caught exactly where it is forbidden, whatever was allowed and forbidden before", async () => {
  const pages = (END - GIB) / PAGE_SIZE;
  // Bounds near those of units, where parts of units begin and end.
  const bound = fc
    .tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: -2, max: 2 }))
    .map(([unit, off]) => Math.min(Math.max(unit * 512 + off, 0), pages));
  const change = fc.record({
    allow: fc.boolean(),
    a: bound,
    b: bound,
    look: fc.array(bound, { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
      const { watch, catches } = await armed();
      const forbidden = new Array<boolean>(pages).fill(true);
      for (const { allow, a, b, look } of changes) {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const [start, end] = [GIB + from * PAGE_SIZE, GIB + to * PAGE_SIZE];
        await (allow ? watch.allow(start, end) : watch.forbid(start, end));
        forbidden.fill(!allow, from, to);
        for (const page of look)
          if (page < pages) expect(await catches(GIB + page * PAGE_SIZE)).toBe(forbidden[page]);
      }
    }),
  );
});
