import fc from "fast-check";
import { expect, it } from "vitest";
import { SEPT_FREE, SEPT_MAPPED, SEPT_NL_MAPPED, SEPT_PENDING } from "../abi/tdx/sept-entry.ts";
import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESPONSE } from "../abi/virtio-mem/response.ts";
import { GIB, MIB } from "../units.ts";
import { plugDimm } from "./dimm.ts";
import { handleEject } from "./eject.ts";
import { VM_END } from "./events.ts";
import type { GuestMemfd } from "./guest-memfd.ts";
import type { VmmPolicy } from "./policy.ts";
import { handleRequest } from "./requests.ts";
import { TdxBench } from "./testing/tdx-bench.ts";

const { PLUG, UNPLUG } = VIRTIO_MEM_REQUEST;
const { ACK, BUSY } = VIRTIO_MEM_RESPONSE;
/** Random histories that a run of this test tries. */
const RUNS = 100;
/** First guest frame of the window. */
const WINDOW = (64 * MIB) / 4096;

const bench = (policy: Partial<VmmPolicy> = {}, pageRelease = false): TdxBench =>
  new TdxBench({ virtioMem: [{ id: "vm0", size: 16 * MIB, requestedSize: 16 * MIB }], policy }, pageRelease);

const accept = (b: TdxBench, frame: number, level: number): string =>
  b.untilDone(() => b.accept(0, frame, level));

it("serves an accept of 2 MiB by one mapping where it may, and by small ones where KVM has no large ones", () => {
  const large = bench();
  expect(accept(large, 512, 1)).toBe("SUCCESS");
  expect(large.septAt(700)).toEqual([SEPT_MAPPED, 1]);
  const small = bench({ augSize: "4K" });
  expect(accept(small, 512, 1)).toBe("PAGE_SIZE_MISMATCH(level 1)");
  for (let frame = 512; frame < 1024; frame++) expect(accept(small, frame, 0)).toBe("SUCCESS");
  expect(small.septAt(700)).toEqual([SEPT_MAPPED, 0]);
});

it("splits a large mapping that a small accept meets", () => {
  const b = bench();
  expect(b.read(0, 512)).toBe(true);
  b.finish(...b.exits);
  expect(b.septAt(600)).toEqual([SEPT_PENDING, 1]);
  expect(accept(b, 600, 0)).toBe("SUCCESS");
  expect([b.septAt(600), b.septAt(601)]).toEqual([
    [SEPT_MAPPED, 0],
    [SEPT_PENDING, 0],
  ]);
});

it("finds the old page after unplug and plug, unless the VMM discards both planes", () => {
  for (const [discard, result] of [
    ["shared-only", "PAGE_ALREADY_ACCEPTED(level 1)"],
    ["both", "SUCCESS"],
  ] as const) {
    const b = bench({ discard });
    b.ask(PLUG, 0, 1);
    expect(accept(b, WINDOW, 1)).toBe("SUCCESS");
    expect(b.ask(UNPLUG, 0, 1)).toBe(ACK);
    b.ask(PLUG, 0, 1);
    expect(accept(b, WINDOW, 1)).toBe(result);
  }
});

it("cannot take a page back that the guest did not release, and can once it did", () => {
  const b = bench({ discard: "both" }, true);
  b.ask(PLUG, 0, 2);
  accept(b, WINDOW, 1);
  expect(b.ask(UNPLUG, 0, 2)).toBe(BUSY);
  expect(b.release(0, WINDOW, 1)).toBe("SUCCESS");
  expect(b.ask(UNPLUG, 0, 2)).toBe(ACK);
  expect([b.septAt(WINDOW)[0], b.vmm.use.privateBytes]).toEqual([SEPT_FREE, 0]);
});

it("converts memory to shared and back, and the guest accepts it afresh", () => {
  const b = bench();
  accept(b, 0, 1);
  b.mapGpa(0, 100, 50, true);
  b.finish(...b.exits);
  expect([b.septAt(99)[0], b.septAt(100)[0], b.septAt(149)[0], b.septAt(150)[0]]).toEqual([
    SEPT_MAPPED,
    SEPT_FREE,
    SEPT_FREE,
    SEPT_MAPPED,
  ]);
  b.mapGpa(0, 100, 50, false);
  b.finish(...b.exits);
  expect(accept(b, 120, 0)).toBe("SUCCESS");
});

it("tracks by the epochs of the vCPUs that run: an unplug ends with both of them in the guest", () => {
  const b = bench({ discard: "both" });
  b.ask(PLUG, 0, 2);
  accept(b, WINDOW, 1);
  accept(b, WINDOW + 512, 1);
  const before = b.td.epoch;
  expect(b.ask(UNPLUG, 0, 2)).toBe(ACK);
  expect([b.isInGuest(0), b.isInGuest(1), b.td.epoch - before]).toEqual([true, true, 2]);
});

const DIMM = WINDOW + 4096;

it("leaves nothing behind when a fault meets the eject of its DIMM", () => {
  const b = new TdxBench({
    virtioMem: [{ id: "vm0", size: 16 * MIB }],
    backends: [{ id: "m1", size: 8 * MIB }],
    dimms: [{ memdev: "m1" }],
    policy: { start: "shared" },
  });
  b.read(0, DIMM);
  b.step(b.exits[0]!);
  expect(b.exits[0]!.where).toBe("fault in a private page:map");
  b.vmm.registers.write(0x14, 1, 8);
  b.run(handleEject);
  b.finish(...b.exits);
  expect([b.vmm.life.ended, b.vmm.use.privateBytes]).toEqual([VM_END.NO_MEMORY_THERE, 0]);
});

/** Whether a page's facts agree: the secure EPT, the mirror of it, backing and attribute. */
const agrees = (b: TdxBench, piece: GuestMemfd, start: number, page: number): boolean => {
  const [state, level] = b.septAt(start + page);
  const isMapped = state === SEPT_MAPPED || state === SEPT_PENDING;
  if (isMapped !== piece.mapped.has(page)) return false;
  if (!isMapped) return state === SEPT_FREE || state === SEPT_NL_MAPPED;
  return (level === 1) === piece.isHuge(page >>> 9) && piece.backed.has(page) && piece.isPrivate.has(page);
};

/** What any run of guest, operator and VMM must keep true at rest. */
const checkMirror = (b: TdxBench): void => {
  let backed = 0;
  let blocks = 0;
  for (const [index, piece] of b.vmm.pieces.entries()) {
    const area = b.vmm.map.areas.findIndex(
      (_, area) => b.vmm.map.isPresent(area) && b.vmm.map.piece(area) === index,
    );
    if (area < 0) expect([piece.backed.count, piece.mapped.count, piece.shared.count]).toEqual([0, 0, 0]);
    const start = b.vmm.map.start(Math.max(area, 0));
    const pages = Array.from({ length: area < 0 ? 0 : piece.pages }, (_, page) => page);
    expect(pages.filter((page) => !agrees(b, piece, start, page))).toEqual([]);
    backed += piece.backed.count;
    blocks += piece.block.filter((block) => block !== 0).length;
  }
  expect(b.vmm.use.privateBytes).toBe(backed * 4096);
  expect(b.vmm.host.usedBlocks).toBe(blocks + Math.ceil(b.vmm.host.tablePages / 512));
};

const frame = fc.oneof(
  fc.integer({ min: 0, max: 2047 }),
  fc.integer({ min: WINDOW, max: WINDOW + 6143 }),
  fc.constantFrom(0, 512, WINDOW, WINDOW + 512, WINDOW + 4096),
);
const act = fc.oneof(
  fc.record({ kind: fc.constant("accept" as const), frame, level: fc.nat(1), vcpu: fc.nat(1) }),
  fc.record({ kind: fc.constant("read" as const), frame, vcpu: fc.nat(1) }),
  fc.record({ kind: fc.constant("release" as const), frame, level: fc.nat(1), vcpu: fc.nat(1) }),
  fc.record({
    kind: fc.constant("map" as const),
    frame,
    pages: fc.integer({ min: 1, max: 1200 }),
    shared: fc.boolean(),
    vcpu: fc.nat(1),
  }),
  fc.record({
    kind: fc.constant("ask" as const),
    type: fc.nat(2),
    page: fc.nat(8).map((n) => n * 512),
    blocks: fc.nat(4),
  }),
  fc.record({ kind: fc.constant("plug" as const) }),
  fc.record({ kind: fc.constant("eject" as const) }),
);
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never;

/** Starts what an act asks for, if whoever does it is free. What would end the VM is not done. */
const start = (
  b: TdxBench,
  a: Act,
  device: ReturnType<TdxBench["idleTask"]>,
  ejector: ReturnType<TdxBench["idleTask"]>,
): void => {
  if ("vcpu" in a) {
    const area = b.vmm.map.find(a.frame);
    if (area < 0 || !b.vmm.hasSlot(area, a.frame)) return;
    if (!b.exits[a.vcpu]!.idle || !b.isInGuest(a.vcpu)) return;
    const aligned = "level" in a && a.level === 1 ? a.frame - (a.frame % 512) : a.frame;
    if (a.kind === "accept") b.accept(a.vcpu, aligned, a.level);
    else if (a.kind === "release") b.release(a.vcpu, aligned, a.level);
    else if (a.kind === "map") b.mapGpa(a.vcpu, a.frame, a.pages, a.shared);
    else if (b.septAt(a.frame)[0] === SEPT_FREE) b.read(a.vcpu, a.frame);
  } else if (a.kind === "ask") {
    const mailbox = b.vmm.mailboxes[0]!;
    if (!device.idle) return;
    mailbox.response();
    mailbox.send(a.type, mailbox.addr + a.page * 4096, a.blocks);
    device.start(handleRequest, 0);
  } else if (a.kind === "plug") {
    if (!b.vmm.dimms.isPlugged(0)) plugDimm(b.vmm, { memdev: "m1", slot: 0 }, true);
  } else if (b.vmm.dimms.isPlugged(0) && ejector.idle) {
    b.vmm.registers.write(0, 4, 0);
    b.vmm.registers.write(0x14, 1, 8);
    ejector.start(handleEject);
  }
};

it("keeps its mirror of the secure EPT true, and the module never refuses it, however tasks interleave", () => {
  const policy = fc.record({
    augSize: fc.constantFrom("4K" as const, "2M" as const),
    aug: fc.constantFrom("fault" as const, "ahead" as const),
    start: fc.constantFrom("private" as const, "shared" as const),
    discard: fc.constantFrom("none" as const, "shared-only" as const, "both" as const),
  });
  const run = fc.record({
    policy,
    pageRelease: fc.boolean(),
    dynamicMemslots: fc.boolean(),
    acts: fc.array(fc.tuple(act, fc.array(fc.nat(3), { maxLength: 30 })), { maxLength: 40 }),
  });
  fc.assert(
    fc.property(run, ({ policy, pageRelease, dynamicMemslots, acts }) => {
      const device = {
        id: "vm0",
        size: 16 * MIB,
        requestedSize: 16 * MIB,
        dynamicMemslots,
        minSlotSize: 4 * MIB,
      };
      const backends = [{ id: "m1", size: 8 * MIB }];
      const b = new TdxBench({ virtioMem: [device], backends, policy }, pageRelease);
      const tasks = [...b.exits, b.idleTask(2), b.idleTask(3)];
      for (const [a, schedule] of acts) {
        if (b.vmm.life.ended !== 0) break;
        start(b, a, tasks[2]!, tasks[3]!);
        for (const turn of schedule) if (!tasks[turn]!.idle && b.vmm.life.ended === 0) b.step(tasks[turn]!);
      }
      b.finish(...tasks);
      const { reason } = b.vmm.life.end;
      expect([VM_END.NONE, VM_END.NO_MEMORY_THERE, VM_END.PINNED, VM_END.PENDING_ACCESS]).toContain(reason);
      if (reason === VM_END.NONE) checkMirror(b);
    }),
    { numRuns: RUNS },
  );
});

it("runs a TD of several gigabytes of address space in the host memory it really uses", () => {
  const b = new TdxBench({ virtioMem: [{ id: "vm0", size: 16 * MIB }], host: { base: GIB, size: 8 * MIB } });
  expect(accept(b, 0, 1)).toBe("SUCCESS");
  expect(accept(b, 512, 1)).toBe("SUCCESS");
  expect(accept(b, 1024, 1)).toBe("SUCCESS");
  accept(b, 1536, 1);
  expect(b.vmm.life.ended).toBe(VM_END.HOST_OUT_OF_MEMORY);
});
