import fc from "fast-check";
import { expect, it } from "vitest";
import type { TdgLeaf, TdhLeaf } from "../abi/tdx/leaves.ts";
import { SEPT_MAPPED, SEPT_NL_BLOCKED, SEPT_NL_MAPPED, SEPT_PENDING } from "../abi/tdx/sept-entry.ts";
import { PAGE_TYPE } from "../abi/tdx/td-state.ts";
import { GIB } from "../units.ts";
import { type AccessKind, access } from "./access.ts";
import { flatSize, saveFlat } from "./flat-range.ts";
import type { LockName } from "./locks.ts";
import { OneTd } from "./one-td.ts";
import { TD_EXIT } from "./outcome.ts";
import { leafFrame } from "./sept.ts";
import { TD_WORD, VCPU_STATE, VCPU_WORD } from "./td.ts";

const UNIT = 2 ** 21;
const BASE = 0x4000_0000;

const HOST_LEAVES: readonly TdhLeaf[] = [
  "TDH.MEM.PAGE.ADD",
  "TDH.MEM.SEPT.ADD",
  "TDH.MEM.PAGE.AUG",
  "TDH.MEM.RANGE.BLOCK",
  "TDH.MEM.PAGE.DEMOTE",
  "TDH.MEM.PAGE.PROMOTE",
  "TDH.MEM.SEPT.RD",
  "TDH.MEM.PAGE.REMOVE",
  "TDH.MEM.SEPT.REMOVE",
  "TDH.MEM.RANGE.UNBLOCK",
];
const GUEST_LEAVES: readonly TdgLeaf[] = [
  "TDG.MEM.PAGE.ACCEPT",
  "TDG.MEM.PAGE.RELEASE",
  "TDG.MEM.PAGE.ATTR.RD",
  "TDG.MEM.PAGE.ATTR.WR",
];
const LOCKS: readonly LockName[] = ["TDR", "OP_STATE", "SEPT_TREE", "TD_EPOCH"];

const gpa = fc
  .tuple(fc.nat(1), fc.constantFrom(0, 0, 0, 1, 2, 511))
  .map(([unit, page]) => BASE + unit * UNIT + page * 4096);
const hostPage = fc
  .tuple(fc.nat(3), fc.constantFrom(0, 0, 0, 1, 511))
  .map(([unit, page]) => GIB + GIB / 2 + unit * UNIT + page * 4096);
const level = fc.constantFrom(0, 0, 1, 1, 2, 3);
const leave = fc.constant({ do: "leave" as const });
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("host" as const),
      leaf: fc.constantFrom(...HOST_LEAVES),
      gpa,
      level,
      page: hostPage,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("guest" as const),
      leaf: fc.constantFrom(...GUEST_LEAVES),
      gpa,
      level,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("track" as const) }) },
  { weight: 2, arbitrary: leave },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("access" as const), gpa, kind: fc.constantFrom(0, 1, 2) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("interrupt" as const), polls: fc.nat(600) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("lock" as const),
      name: fc.constantFrom(...LOCKS),
      held: fc.nat(2),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lock entry" as const), gpa, level }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unlock" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const runs = (one: OneTd): boolean => one.td.vcpu(0, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE;

/** Bytes of everything but the vCPU. */
const memoryState = (one: OneTd): string => {
  const parts = [one.module.pamt, one.content.tags, one.td.sept];
  const bytes = new Uint8Array(parts.reduce((size, part) => size + flatSize(part), 0));
  let at = 0;
  for (const part of parts) at = saveFlat(part, bytes, at);
  return Buffer.from(bytes).toString("base64");
};
const wholeState = (one: OneTd): string => Buffer.from(one.module.save()).toString("base64");

/** Makes one step and checks that a refusal left no trace. */
const make = (one: OneTd, s: Step): void => {
  const before = wholeState(one);
  const memory = memoryState(one);
  switch (s.do) {
    case "host": {
      const result = one.onPage(s.leaf, s.gpa, s.level, { R8: s.page, R9: 0x1000 });
      if (result !== 0) expect(wholeState(one)).toBe(before);
      return;
    }
    case "track":
      if (one.track() !== 0) expect(wholeState(one)).toBe(before);
      return;
    case "guest": {
      if (!runs(one)) return;
      const outcome = one.tdcall(s.leaf, { RCX: s.gpa + s.level });
      if (outcome > 0) expect(wholeState(one)).toBe(before);
      if (outcome === TD_EXIT) expect(memoryState(one)).toBe(memory);
      return;
    }
    case "access":
      if (runs(one)) access(one.td, 0, s.gpa, s.kind as AccessKind);
      expect(memoryState(one)).toBe(memory);
      return;
    default:
      other(one, s);
  }
};

const other = (one: OneTd, s: Step): void => {
  if (s.do === "leave") {
    if (runs(one)) access(one.td, 0, 2 ** 40, 0);
    else if (!one.td.locks.isBusy(0, false)) tryEnter(one);
  }
  if (s.do === "interrupt") one.td.interruptIn(0, s.polls);
  if (s.do === "lock") one.td.locks.hold(s.name, s.held as 0 | 1 | 2);
  if (s.do === "lock entry") {
    one.td.locks.releaseEntries();
    one.td.locks.holdEntry(s.gpa / 4096, s.level);
  }
  if (s.do === "unlock") one.td.locks.releaseAll();
};

const tryEnter = (one: OneTd): void => {
  const tdvpr = one.td.vcpu(0, VCPU_WORD.TDVPR_FRAME) * 4096;
  one.seamcall("TDH.VP.ENTER", { RCX: tdvpr });
};

/** Holds counts, metadata and tree against each other; answers the pages that the tree accounts for. */
const audit = (one: OneTd, slot = 0, level = one.td.sept.levels - 1): number => {
  const { sept } = one.td;
  const { pamt } = one.module;
  const owner = one.td.number + 1;
  let pages = 0;
  const counts = { used: 0, mapped: 0, pending: 0 };
  for (let at = slot * 512; at < (slot + 1) * 512; at++) {
    const state = sept.state[at]!;
    const payload = sept.payload[at]!;
    if (state === 0) {
      expect(payload).toBe(0);
      continue;
    }
    counts.used++;
    counts.mapped += Number(state === SEPT_MAPPED);
    counts.pending += Number(state === SEPT_PENDING);
    const isTable = state === SEPT_NL_MAPPED || state === SEPT_NL_BLOCKED;
    const frame = isTable ? sept.tableFrame[payload]! : leafFrame(payload, level);
    const size = isTable ? 0 : level;
    expect([pamt.typeAt(frame, size), pamt.ownerAt(frame, size)]).toEqual([
      isTable ? PAGE_TYPE.EPT : PAGE_TYPE.REG,
      owner,
    ]);
    pages += isTable ? 1 + audit(one, payload, level - 1) : 512 ** level;
  }
  expect([sept.usedCount[slot], sept.mappedCount[slot], sept.pendingCount[slot]]).toEqual([
    counts.used,
    counts.mapped,
    counts.pending,
  ]);
  return pages;
};

it("a refusal changes nothing, and tree, metadata and counts agree after every sequence of calls", () => {
  const controlPages = 6 + 6;
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), fc.boolean(), (steps, release) => {
      const one = new OneTd({
        configFlags: release ? 0x46n : 0x6n,
        module: { tdmrs: [{ base: GIB, size: GIB }], maxTds: 1 },
      });
      one.tables(BASE, 1);
      for (const s of steps) make(one, s);
      expect(audit(one) + controlPages).toBe(one.td.words[TD_WORD.CHILD_COUNT]);
    }),
    { numRuns: 150 },
  );
}, 60_000);

it("a state that was saved, changed and loaded again is the same, and goes on the same", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.array(step, { maxLength: 40 }), (first, second) => {
      const one = new OneTd({ module: { tdmrs: [{ base: GIB, size: GIB }], maxTds: 2 } });
      one.tables(BASE, 1);
      for (const s of first) make(one, s);
      const saved = one.module.save();
      for (const s of second) make(one, s);
      const end = wholeState(one);
      expect(one.module.load(saved)).toBe(saved.length);
      expect(wholeState(one)).toBe(Buffer.from(saved).toString("base64"));
      for (const s of second) make(one, s);
      expect(wholeState(one)).toBe(end);
    }),
    { numRuns: 60 },
  );
}, 60_000);
