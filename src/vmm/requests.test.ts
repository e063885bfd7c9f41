import { expect, it } from "vitest";
import { TDH } from "../abi/tdx/leaves.ts";
import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESPONSE } from "../abi/virtio-mem/response.ts";
import { BLOCKED } from "../flat/procedure.ts";
import { MIB } from "../units.ts";
import { VM_END } from "./events.ts";
import type { VmmPolicy } from "./policy.ts";
import { prefault } from "./prefault.ts";
import { DONE } from "./procedures.ts";
import { handleRequest } from "./requests.ts";
import { Bench, WINDOW } from "./testing/bench.ts";
import type { VirtioMemConfig } from "./vmm.ts";

const { PLUG, UNPLUG, STATE } = VIRTIO_MEM_REQUEST;
const { ACK, BUSY, ERROR } = VIRTIO_MEM_RESPONSE;
const MIXED = 2 << 8;

const bench = (
  policy: Partial<VmmPolicy> = {},
  device: Partial<VirtioMemConfig> = {},
  hostLimit?: number,
): Bench =>
  new Bench({
    virtioMem: [{ id: "vm0", size: 64 * MIB, requestedSize: 32 * MIB, ...device }],
    policy,
    ...(hostLimit === undefined ? {} : { hostLimit }),
  });

/** Plugs four blocks, lets the guest accept two of them, and unplugs all four. */
const plugAcceptUnplug = (b: Bench): number => {
  b.ask(PLUG, 0, 4);
  b.accept(WINDOW, 1);
  b.accept(WINDOW + 512, 0);
  b.tdx.accept(WINDOW, WINDOW + 1024);
  b.tdx.calls.length = 0;
  return b.ask(UNPLUG, 0, 4);
};

it("waits until a request is posted", () => {
  const b = bench();
  const task = b.task(handleRequest, [0]);
  expect(task.step(b.vmm)).toBe(BLOCKED);
});

it("tells the truth about plugged units, and lists those that changed", () => {
  const b = bench();
  b.vmm.changedUnits.clear();
  expect(b.ask(PLUG, 1024, 2)).toBe(ACK);
  const units = [0, 1, 2, 3, 4].map((unit) => b.vmm.pluggedAt(WINDOW / 512 + unit));
  expect(units).toEqual([false, false, true, true, false]);
  expect([...b.vmm.changedUnits.starts.slice(0, 1), ...b.vmm.changedUnits.ends.slice(0, 1)]).toEqual([
    WINDOW / 512 + 2,
    WINDOW / 512 + 4,
  ]);
  expect([b.vmm.pluggedAt(0), b.vmm.pluggedAt(8), b.vmm.pluggedAt(2 ** 30)]).toEqual([true, false, false]);
  expect(b.ask(STATE, 0, 4)).toBe(ACK | MIXED);
  expect(b.events).toContain(`MEMORY_DEVICE_SIZE_CHANGE device 0 size ${4 * MIB}`);
});

it("counts a unit as plugged only when all its blocks are", () => {
  const b = bench({}, { blockSize: MIB });
  b.ask(PLUG, 0, 1);
  expect([
    b.vmm.pluggedAt(WINDOW / 512),
    b.vmm.pluggedFrame(WINDOW),
    b.vmm.pluggedFrame(WINDOW + 256),
  ]).toEqual([false, true, false]);
  b.ask(PLUG, 256, 1);
  expect(b.vmm.pluggedAt(WINDOW / 512)).toBe(true);
});

it.each(["none", "shared-only"] as const)(
  "keeps private pages over an unplug that discards %s, so a later accept meets the old page",
  (discard) => {
    const b = bench({ discard });
    expect(plugAcceptUnplug(b)).toBe(ACK);
    expect(b.tdx.calls).toEqual([]);
    b.ask(PLUG, 0, 4);
    expect([b.tdx.stateAt(WINDOW), b.vmm.use.privateBytes]).toEqual(["MAPPED", 2 * MIB + 4096]);
  },
);

it("removes every mapping on an unplug that discards both planes: BLOCK, TRACK, REMOVE, WBINVD a leaf", () => {
  const b = bench({ discard: "both" });
  expect(plugAcceptUnplug(b)).toBe(ACK);
  expect(b.tdx.calls.map((call) => call.replace(/ .*/, ""))).toEqual([
    "MEM.RANGE.BLOCK",
    "MEM.TRACK",
    "MEM.PAGE.REMOVE",
    "PHYMEM.PAGE.WBINVD",
    "MEM.RANGE.BLOCK",
    "MEM.TRACK",
    "MEM.PAGE.REMOVE",
    "PHYMEM.PAGE.WBINVD",
  ]);
  expect([b.tdx.stateAt(WINDOW), b.vmm.use.privateBytes]).toEqual(["FREE", 0]);
  b.ask(PLUG, 0, 4);
  b.accept(WINDOW, 1);
  expect([b.tdx.stateAt(WINDOW), b.vmm.pieceOf(1).isPrivate.has(0)]).toEqual(["PENDING", true]);
});

it("gives shared memory back on every unplug but one that discards nothing", () => {
  for (const [discard, left] of [
    ["none", 8192],
    ["shared-only", 0],
    ["both", 0],
  ] as const) {
    const b = bench({ discard });
    b.ask(PLUG, 0, 1);
    b.vmm.pieceOf(1).shared.addRange(3, 5);
    b.vmm.use.account(0, 2);
    b.ask(UNPLUG, 0, 1);
    expect(b.vmm.use.sharedBytes).toBe(left);
  }
});

it("splits a large mapping that reaches out of an unplugged range", () => {
  const b = bench({ discard: "both" }, { blockSize: MIB });
  b.ask(PLUG, 0, 2);
  b.touch(WINDOW);
  expect(b.ask(UNPLUG, 256, 1)).toBe(ACK);
  expect([b.tdx.stateAt(WINDOW + 255), b.tdx.stateAt(WINDOW + 256)]).toEqual(["PENDING", "FREE"]);
  expect(b.vmm.use.privateBytes).toBe(MIB);
});

it("answers BUSY when the guest still holds a page, and the block stays plugged", () => {
  const b = bench({ discard: "both" });
  b.tdx.pageRelease = true;
  expect(plugAcceptUnplug(b)).toBe(BUSY);
  expect([b.vmm.devices[0]!.pluggedSize, b.vmm.use.privateBytes]).toEqual([8 * MIB, 2 * MIB + 4096]);
  expect(b.vmm.life.ended).toBe(VM_END.NONE);
});

it("ends the VM instead where the policy says so", () => {
  const b = bench({ discard: "both", pinned: "kill" });
  b.tdx.pageRelease = true;
  expect([plugAcceptUnplug(b), b.vmm.life.ended]).toEqual([-1, VM_END.PINNED]);
});

it("kicks vCPUs that run guest code after a TRACK, and waits for them", () => {
  const b = bench({ discard: "both" });
  b.ask(PLUG, 0, 1);
  b.touch(WINDOW);
  b.inGuest.add(1);
  b.vmm.mailboxes[0]!.send(UNPLUG, WINDOW * 4096, 1);
  const task = b.task(handleRequest, [0]);
  while (task.step(b.vmm) !== BLOCKED);
  expect([[...b.vmm.kicks], b.tdx.stateAt(WINDOW)]).toEqual([[0, 1], "PENDING"]);
  expect(task.backtrace().at(-1)).toBe("retire translations:wait");
  b.vmm.kicks[1] = 0;
  while (!task.idle) task.step(b.vmm);
  expect(b.tdx.stateAt(WINDOW)).toBe("FREE");
});

it("kicks before it tracks again while an older epoch is in use", () => {
  const b = bench({ discard: "both" });
  b.ask(PLUG, 0, 1);
  b.touch(WINDOW);
  b.inGuest.add(0);
  b.tdx.planned.push([TDH["TDH.MEM.TRACK"], "PREVIOUS_TLB_EPOCH_BUSY"]);
  b.vmm.mailboxes[0]!.send(UNPLUG, WINDOW * 4096, 1);
  const task = b.task(handleRequest, [0]);
  while (task.step(b.vmm) !== BLOCKED);
  expect(task.backtrace().at(-1)).toBe("retire translations:retry");
});

it("repeats a call that found a lock taken", () => {
  const b = bench({ discard: "both" });
  for (const leaf of ["TDH.MEM.RANGE.BLOCK", "TDH.MEM.TRACK", "TDH.MEM.PAGE.REMOVE"] as const) {
    b.tdx.planned.push([TDH[leaf], "OPERAND_BUSY"]);
  }
  expect([plugAcceptUnplug(b), b.tdx.stateAt(WINDOW)]).toEqual([ACK, "FREE"]);
});

it("makes a fault in pages that are being removed wait", () => {
  const b = bench({ discard: "both" });
  b.ask(PLUG, 0, 1);
  b.touch(WINDOW);
  b.vmm.mailboxes[0]!.send(UNPLUG, WINDOW * 4096, 1);
  const zap = b.task(handleRequest, [0]);
  while (zap.where !== "remove private mappings:remove") zap.step(b.vmm);
  b.setExit(1, WINDOW + 7, 0, 0);
  const fault = b.exitTask(1);
  fault.step(b.vmm);
  expect(fault.step(b.vmm)).toBe(BLOCKED);
  while (!zap.idle) zap.step(b.vmm);
  while (!fault.idle) fault.step(b.vmm);
  expect([b.vmm.pluggedFrame(WINDOW), b.tdx.stateAt(WINDOW)]).toEqual([false, "PENDING"]);
});

it("maps plugged blocks before it answers where the policy maps ahead", () => {
  const b = bench({ aug: "ahead" });
  b.ask(PLUG, 0, 3);
  expect(b.vmm.use.privateBytes).toBe(6 * MIB);
  const small = bench({ aug: "ahead", augSize: "4K" });
  small.ask(PLUG, 0, 1);
  expect(small.tdx.leaves[0].size).toBe(512);
});

it("does not map shared memory ahead", () => {
  const b = bench({ aug: "ahead", start: "shared" });
  b.ask(PLUG, 0, 3);
  expect(b.vmm.use.privateBytes).toBe(0);
});

it("populates the shared plane with prealloc, and answers BUSY when the host is full", () => {
  const b = bench({}, { prealloc: true }, 3 * MIB);
  expect([b.ask(PLUG, 0, 1), b.ask(PLUG, 512, 1)]).toEqual([ACK, BUSY]);
  expect([b.vmm.use.sharedBytes, b.vmm.devices[0]!.pluggedSize]).toEqual([2 * MIB, 2 * MIB]);
});

const DYNAMIC = { dynamicMemslots: true, minSlotSize: 8 * MIB };

it("gives a dynamic memslot to the guest with its first block and takes it with its last", () => {
  const b = bench({}, DYNAMIC);
  expect(b.vmm.memslots).toBe(1);
  b.ask(PLUG, 0, 1);
  expect([b.vmm.memslots, b.vmm.hasSlot(1, WINDOW + 1024), b.vmm.hasSlot(1, WINDOW + 2048)]).toEqual([
    2,
    true,
    false,
  ]);
  b.touch(WINDOW + 1024);
  expect(b.tdx.stateAt(WINDOW + 1024)).toBe("PENDING");
  b.ask(UNPLUG, 0, 1);
  expect([b.vmm.memslots, b.tdx.stateAt(WINDOW + 1024)]).toEqual([1, "FREE"]);
  expect(b.vmm.use.privateBytes).toBe(2 * MIB);
});

it("leaves a dynamic memslot that still holds a block alone", () => {
  const b = bench({ start: "shared" }, DYNAMIC);
  b.ask(PLUG, 0, 1);
  b.touch(WINDOW);
  b.ask(PLUG, 512, 1);
  expect(b.vmm.pieceOf(1).isPrivate.has(0)).toBe(true);
  b.ask(UNPLUG, 512, 1);
  expect(b.tdx.stateAt(WINDOW)).toBe("PENDING");
});

it("maps nothing ahead where no memslot is", () => {
  const b = bench({}, DYNAMIC);
  expect(b.run(prefault, 0, WINDOW, WINDOW + 4096)).toBe(DONE);
  expect([b.vmm.life.ended, b.vmm.use.privateBytes]).toEqual([VM_END.NONE, 0]);
});

it("makes a new dynamic memslot private or shared throughout", () => {
  const b = bench({ start: "shared" }, DYNAMIC);
  b.ask(PLUG, 0, 1);
  b.touch(WINDOW);
  b.ask(UNPLUG, 0, 1);
  b.ask(PLUG, 0, 1);
  expect(b.vmm.pieceOf(1).isPrivate.count).toBe(0);
});

it("gives no answer to a driver that reset the device meanwhile", () => {
  const b = bench();
  const mailbox = b.vmm.mailboxes[0]!;
  mailbox.send(PLUG, mailbox.addr, 1);
  const task = b.task(handleRequest, [0]);
  task.step(b.vmm);
  mailbox.reset();
  mailbox.send(STATE, mailbox.addr, 1);
  while (!task.idle) task.step(b.vmm);
  expect(mailbox.response()).toBe(-1);
  b.run(handleRequest, 0);
  expect(mailbox.response()).toBe(ACK);
});

it("gives no response to a type it does not know, and none until the driver resets it", () => {
  const b = bench();
  expect([b.ask(9), b.vmm.devices[0]!.needsReset]).toEqual([-1, true]);
  b.vmm.mailboxes[0]!.reset();
  expect(b.ask(PLUG, 1, 1)).toBe(ERROR);
});
