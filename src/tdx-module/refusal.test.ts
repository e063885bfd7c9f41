import fc from "fast-check";
import { expect, it } from "vitest";
import type { TdgLeaf, TdhLeaf } from "../abi/tdx/leaves.ts";
import { SEPT_MAPPED, SEPT_NL_BLOCKED, SEPT_NL_MAPPED, SEPT_PENDING } from "../abi/tdx/sept-entry.ts";
import { PAGE_TYPE } from "../abi/tdx/td-state.ts";
import { flatSize, saveFlat } from "../flat/flat-range.ts";
import { GIB } from "../units.ts";
import { type AccessKind, access } from "./access.ts";
import type { LockName } from "./locks.ts";
import { OneTd } from "./one-td.ts";
import { INTERRUPTED, TD_EXIT } from "./outcome.ts";
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
const RESIZES = [
  "TDH.MEM.PAGE.DEMOTE",
  "TDH.MEM.PAGE.PROMOTE",
  "TDH.MEM.SEPT.REMOVE",
  "TDH.MEM.PAGE.REMOVE",
] as const;
const LOCKS: readonly LockName[] = ["TDR", "OP_STATE", "SEPT_TREE", "TD_EPOCH"];

/** A GPA and a level, mostly aligned to it, all within two 2 MiB units. */
const spot = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.nat(1), fc.constantFrom(0, 1, 511))
      .map(([u, p]) => [BASE + u * UNIT + p * 4096, 0]),
  },
  { weight: 8, arbitrary: fc.nat(1).map((u) => [BASE + u * UNIT, 1]) },
  { weight: 1, arbitrary: fc.constantFrom(2, 3).map((l) => [BASE, l]) },
  { weight: 1, arbitrary: fc.constant([BASE + 4096, 1]) },
) as fc.Arbitrary<[number, number]>;
const PAGES = GIB + GIB / 2;
/** A free-standing 4 KiB host page, seldom one of the two 2 MiB blocks that large pages come from. */
const hostPage = fc.oneof(
  { weight: 9, arbitrary: fc.nat(40).map((page) => PAGES + 2 * UNIT + page * 4096) },
  { weight: 1, arbitrary: fc.nat(1).map((block) => PAGES + block * UNIT) },
);
const large = fc.record({
  spot: fc.nat(1).map((u): [number, number] => [BASE + u * UNIT, 1]),
  page: fc.nat(1).map((block) => PAGES + block * UNIT),
});
const just = <const T extends string>(what: T) => fc.constant(what);
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ do: just("host"), leaf: fc.constantFrom(...HOST_LEAVES), spot, page: hostPage }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: just("host"), leaf: just("TDH.MEM.PAGE.AUG"), spot, page: hostPage }),
  },
  { weight: 8, arbitrary: fc.record({ do: just("guest"), leaf: fc.constantFrom(...GUEST_LEAVES), spot }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: just("resize"), leaf: fc.constantFrom(...RESIZES), unit: fc.nat(1) }),
  },
  {
    weight: 5,
    arbitrary: large.map((l) => ({ do: "host" as const, leaf: "TDH.MEM.PAGE.AUG" as const, ...l })),
  },
  { weight: 6, arbitrary: fc.record({ do: just("accept and release"), spot }) },
  { weight: 6, arbitrary: fc.record({ do: just("track") }) },
  { weight: 3, arbitrary: fc.record({ do: just("leave") }) },
  { weight: 9, arbitrary: fc.record({ do: just("enter") }) },
  { weight: 2, arbitrary: fc.record({ do: just("access"), spot, kind: fc.constantFrom(0, 1, 2) }) },
  { weight: 2, arbitrary: fc.record({ do: just("interrupt"), polls: fc.nat(600) }) },
  { weight: 1, arbitrary: fc.record({ do: just("lock"), name: fc.constantFrom(...LOCKS), held: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: just("lock entry"), spot }) },
  { weight: 1, arbitrary: fc.record({ do: just("lock frame"), page: hostPage }) },
  { weight: 16, arbitrary: fc.record({ do: just("unlock") }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const runs = (one: OneTd): boolean => one.td.vcpu(0, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE;

/** Bytes of everything but the vCPU. */
const memoryState = (one: OneTd): string => {
  const parts = [one.module.pamt, one.content.tags, one.td.sept];
  const bytes = new Uint8Array(parts.reduce((size, part) => size + flatSize(part), 0));
  let at = 0;
  for (const part of parts) at = saveFlat(part, bytes, at);
  return Buffer.from(bytes).toString("latin1");
};
const wholeState = (one: OneTd): string => Buffer.from(one.module.save()).toString("latin1");

/** How often each call answered SUCCESS. */
type Seen = Map<string, number>;
const note = (seen: Seen, what: string): Seen => seen.set(what, (seen.get(what) ?? 0) + 1);

/** Makes one step and checks that a refusal left no trace. */
const make = (one: OneTd, s: Step, seen: Seen): void => {
  const before = wholeState(one);
  const memory = memoryState(one);
  if (s.do === "host" || s.do === "track") {
    const name = s.do === "track" ? "TDH.MEM.TRACK" : s.leaf;
    const operands = s.do === "track" ? {} : { R8: s.page, R9: 0x1000 };
    const result = s.do === "track" ? one.track() : one.onPage(s.leaf, ...s.spot, operands);
    if (result === 0) note(seen, name);
    else expect(wholeState(one) === before).toBe(true);
  } else if (s.do === "guest") {
    if (!runs(one)) return;
    const outcome = one.tdcall(s.leaf, { RCX: s.spot[0] + s.spot[1] });
    if (outcome === 0) note(seen, s.leaf);
    if (outcome === TD_EXIT) note(seen, "TD_EXIT");
    if (outcome === INTERRUPTED) note(seen, "INTERRUPTED");
    if (outcome > 0) expect(wholeState(one) === before).toBe(true);
    if (outcome === TD_EXIT) expect(memoryState(one) === memory).toBe(true);
  } else if (s.do === "access") {
    if (runs(one)) access(one.td, 0, s.spot[0], s.kind as AccessKind);
    expect(memoryState(one) === memory).toBe(true);
  } else other(one, s, seen);
};

/** A host that wants another page size, or none: blocks, tracks, lets the vCPU leave. */
const resize = (one: OneTd, leaf: TdhLeaf, at: number, seen: Seen): void => {
  one.block(at, 1);
  one.track();
  if (runs(one)) access(one.td, 0, 2 ** 40, 0);
  if (one.onPage(leaf, at, 1, { R8: PAGES + 2 * UNIT + 4096 * 50 }) === 0) note(seen, leaf);
};

/** A guest that takes a page and gives it back. */
const acceptAndRelease = (one: OneTd, [at, level]: [number, number], seen: Seen): void => {
  tryEnter(one);
  if (runs(one)) one.accept(at, level);
  if (runs(one) && one.tdcall("TDG.MEM.PAGE.RELEASE", { RCX: at + level }) === 0) {
    note(seen, "TDG.MEM.PAGE.RELEASE");
  }
};

const other = (one: OneTd, s: Step, seen: Seen): void => {
  if (s.do === "accept and release") acceptAndRelease(one, s.spot, seen);
  if (s.do === "resize") resize(one, s.leaf, BASE + s.unit * UNIT, seen);
  if (s.do === "leave" && runs(one)) access(one.td, 0, 2 ** 40, 0);
  if (s.do === "enter") tryEnter(one);
  if (s.do === "interrupt") one.td.interruptIn(0, s.polls);
  if (s.do === "lock") one.td.locks.hold(s.name, s.held as 0 | 1 | 2);
  if (s.do === "lock entry") {
    one.td.locks.releaseEntries();
    one.td.locks.holdEntry(s.spot[0] / 4096, s.spot[1]);
  }
  if (s.do === "lock frame") {
    one.module.frameLocks.releaseAll();
    one.module.frameLocks.hold(s.page / 4096);
  }
  if (s.do === "unlock") {
    one.td.locks.releaseAll();
    one.module.frameLocks.releaseAll();
  }
};

const tryEnter = (one: OneTd): void => {
  const tdvpr = one.td.vcpu(0, VCPU_WORD.TDVPR_FRAME) * 4096;
  one.seamcall("TDH.VP.ENTER", { RCX: tdvpr });
};

/** What is wrong with an entry: its payload, or the metadata of the page that it names. Empty if nothing is. */
const entryFault = (one: OneTd, at: number, level: number): string => {
  const { sept } = one.td;
  const { pamt } = one.module;
  const state = sept.state[at]!;
  const payload = sept.payload[at]!;
  if (state === 0) return payload === 0 ? "" : `FREE entry ${at} holds ${payload}`;
  const isTable = state === SEPT_NL_MAPPED || state === SEPT_NL_BLOCKED;
  const frame = isTable ? sept.tableFrame[payload]! : leafFrame(payload, level);
  const size = isTable ? 0 : level;
  const type = isTable ? PAGE_TYPE.EPT : PAGE_TYPE.REG;
  const fits = pamt.typeAt(frame, size) === type && pamt.ownerAt(frame, size) === one.td.number + 1;
  return fits ? "" : `entry ${at} names frame ${frame}, which is something else`;
};

/** Holds counts, metadata and tree against each other; answers the pages that the tree accounts for. */
const audit = (one: OneTd, slot = 0, level = one.td.sept.levels - 1): number => {
  const { sept } = one.td;
  const states = [...sept.state.subarray(slot * 512, (slot + 1) * 512)];
  const count = (is: (state: number) => boolean): number => states.filter(is).length;
  expect([sept.usedCount[slot], sept.mappedCount[slot], sept.pendingCount[slot]]).toEqual([
    count((state) => state !== 0),
    count((state) => state === SEPT_MAPPED),
    count((state) => state === SEPT_PENDING),
  ]);
  const faults = states.map((_, i) => entryFault(one, slot * 512 + i, level)).filter((fault) => fault !== "");
  expect(faults).toEqual([]);
  let pages = 0;
  states.forEach((state, i) => {
    if (state === SEPT_NL_MAPPED || state === SEPT_NL_BLOCKED) {
      pages += 1 + audit(one, sept.payload[slot * 512 + i]!, level - 1);
    } else if (state !== 0) pages += 512 ** level;
  });
  return pages;
};

const steps = (length: number): fc.Arbitrary<Step[]> =>
  fc.array(step, { minLength: length, maxLength: length, size: "max" });
const small = { tdmrs: [{ base: GIB, size: GIB }], maxTds: 1 };

/** Pages that the metadata says the TD owns, the TDR not counted. */
const ownedPages = (one: OneTd): number => {
  const { pamt } = one.module;
  let pages = -1;
  for (const first of [GIB, PAGES]) {
    for (let frame = first / 4096; frame < first / 4096 + 4 * 512; frame++) {
      const size = pamt.sizeAt(frame);
      if (pamt.typeAt(frame, size) !== PAGE_TYPE.NDA) pages++;
    }
  }
  return pages;
};

it("a refusal changes nothing, and tree, metadata and counts agree after every sequence of calls", () => {
  const controlPages = 6 + 6;
  const seen: Seen = new Map();
  fc.assert(
    fc.property(steps(150), fc.boolean(), (sequence, release) => {
      const one = new OneTd({ configFlags: release ? 0x46n : 0x6n, module: small });
      one.tables(BASE, 1);
      for (const s of sequence) make(one, s, seen);
      expect([audit(one) + controlPages, ownedPages(one)]).toEqual(
        Array(2).fill(one.td.words[TD_WORD.CHILD_COUNT]),
      );
    }),
    { numRuns: 150 },
  );
  const reached = [...HOST_LEAVES.slice(1), ...GUEST_LEAVES, "TDH.MEM.TRACK", "TD_EXIT", "INTERRUPTED"];
  expect(reached.filter((what) => !seen.has(what))).toEqual([]);
});

it("a state that was saved, changed and loaded again is the same, and goes on the same", () => {
  fc.assert(
    fc.property(steps(60), steps(60), (first, second) => {
      const one = new OneTd({ module: { ...small, maxTds: 2 } });
      one.tables(BASE, 1);
      for (const s of first) make(one, s, new Map());
      const saved = one.module.save();
      for (const s of second) make(one, s, new Map());
      const end = wholeState(one);
      expect(one.module.load(saved)).toBe(saved.length);
      expect(wholeState(one) === Buffer.from(saved).toString("latin1")).toBe(true);
      for (const s of second) make(one, s, new Map());
      expect(wholeState(one) === end).toBe(true);
    }),
    { numRuns: 30 },
  );
});
