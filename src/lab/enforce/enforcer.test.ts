import { expect, it } from "vitest";
import { GIB, MIB, PAGE_SIZE } from "../../units.ts";
import type { CpuControl, StoppedCpu, WatchHook } from "../cpu/cpu-control.ts";
import type { GuestRam } from "../guest-ram/guest-ram.ts";
import { DirectMapWatch } from "./direct-map-watch.ts";
import { Enforcer } from "./enforcer.ts";
import type { PageRights } from "./page-rights.ts";
import { DIRECT_MAP, TablesForTest } from "./testing/tables-for-test.ts";

const UNIT = 2 * MIB;
const DIMM = { start: 4 * GIB, end: 4 * GIB + 64 * UNIT };

const cpuWith = (values: Readonly<Record<string, bigint>>): StoppedCpu =>
  ({
    vcpu: 0,
    registers: { read: (name: string) => values[name] ?? 0n },
  }) as Partial<StoppedCpu> as StoppedCpu;

/** A guest in whose memory files no page is ever found. */
const watched = async () => {
  const gdb = {
    batch: <T>(work: () => T): T => work(),
    setWatchpoint: async () => {},
    clearWatchpoint: async () => {},
  };
  const control: { onWatch?: WatchHook } = {};
  const stopped = { gdb, whileStopped: async <T>(work: (part: typeof gdb) => Promise<T>) => work(gdb) };
  const watch = new DirectMapWatch(stopped, new TablesForTest(1).memory);
  await watch.forbid(DIMM.start, DIMM.end);
  await watch.arm(DIRECT_MAP);
  const enforcer = new Enforcer({
    ...{ control: control as CpuControl, watch, policy: "report" },
    rights: {
      mayTouch: () => false,
      isPlugged: () => true,
      stateName: () => "FREE",
    } as Partial<PageRights> as PageRights,
    ram: { pieces: [] } as Partial<GuestRam> as GuestRam,
    sync: () => {},
    placeOf: async () => ({ rip: 0n, symbol: "memcmp+0x5", backtrace: [] }),
    isHidden: () => false,
    accept: async () => {},
  });
  const touch = (registers: Readonly<Record<string, bigint>>): Promise<void> =>
    control.onWatch!(cpuWith(registers), DIRECT_MAP + BigInt(DIMM.start));
  return { enforcer, watch, touch };
};

it("an access that made no page is told of where a register points to, and the rest of its range stays watched", async () => {
  const { enforcer, watch, touch } = await watched();
  const gpa = DIMM.start + 40 * UNIT + 5 * PAGE_SIZE + 0x18;
  await touch({ rdi: DIRECT_MAP + BigInt(gpa), rsi: DIRECT_MAP + BigInt(DIMM.end), rax: 7n });
  const page = gpa - 0x18;
  expect(enforcer.violations.map(({ invariant, range }) => [invariant, range])).toEqual([
    ["I1", { start: page, end: page + PAGE_SIZE }],
  ]);
  const unit = DIMM.start + 40 * UNIT;
  expect(watch.covers(DIMM.start, unit)).toBe(true);
  expect(watch.covers(unit, unit + UNIT)).toBe(false);
  expect(watch.covers(unit + UNIT, DIMM.end)).toBe(true);
});

it("where nothing names a page the access is told of its whole range", async () => {
  const { enforcer, touch } = await watched();
  await touch({ rdi: 0x1000n });
  expect(enforcer.violations.map(({ range }) => range)).toEqual([DIMM]);
});
