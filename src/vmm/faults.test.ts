import { expect, it } from "vitest";
import { TDH } from "../abi/tdx/leaves.ts";
import { EEQ_TYPE } from "../abi/tdx/td-exit.ts";
import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import { GIB, MIB } from "../units.ts";
import { VM_END, vmEndName } from "./events.ts";
import { DEAD, DONE, UNRESOLVED } from "./procedures.ts";
import { Bench, WINDOW } from "./testing/bench.ts";

const withDevice = (policy = {}) =>
  new Bench({ virtioMem: [{ id: "vm0", size: 32 * MIB, requestedSize: 32 * MIB }], policy });

it("adds each missing table and then the page, from the level the module names", () => {
  const bench = new Bench({ policy: { augSize: "4K" } });
  expect(bench.touch(700)).toBe(DONE);
  expect(bench.tdx.calls).toEqual([
    "MEM.PAGE.AUG 700",
    "MEM.SEPT.ADD 0/3",
    "MEM.PAGE.AUG 700",
    "MEM.SEPT.ADD 0/2",
    "MEM.PAGE.AUG 700",
    "MEM.SEPT.ADD 512/1",
    "MEM.PAGE.AUG 700",
  ]);
  expect(bench.tdx.stateAt(700)).toBe("PENDING");
  expect([bench.vmm.use.privateBytes, bench.vmm.host.tablePages]).toEqual([4096, 3]);
});

it("maps 2 MiB where the policy allows it and the guest asks for it", () => {
  const bench = new Bench();
  bench.accept(512, 1);
  expect(bench.tdx.calls.at(-1)).toBe("MEM.PAGE.AUG 512/1");
  expect(bench.vmm.use.privateBytes).toBe(2 * MIB);
});

it("maps 4 KiB for an accept of 4 KiB, and for all accepts where KVM knows nothing larger", () => {
  const bench = new Bench();
  bench.accept(512, 0);
  expect(bench.tdx.calls.at(-1)).toBe("MEM.PAGE.AUG 512");
  const old = new Bench({ policy: { augSize: "4K" } });
  old.accept(512, 1);
  expect(old.tdx.calls.at(-1)).toBe("MEM.PAGE.AUG 512");
});

it("maps 4 KiB in a unit that already has a small page", () => {
  const bench = new Bench();
  bench.accept(512, 0);
  bench.touch(513);
  expect(bench.tdx.calls.at(-1)).toBe("MEM.PAGE.AUG 513");
});

it("splits a large mapping for a small accept, and keeps to small pages there", () => {
  const bench = new Bench();
  bench.touch(512);
  bench.tdx.calls.length = 0;
  expect(bench.accept(600, 0)).toBe(DONE);
  expect(bench.tdx.calls).toEqual(["MEM.RANGE.BLOCK 512/1", "MEM.TRACK 0", "MEM.PAGE.DEMOTE 512/1"]);
  expect(bench.tdx.stateAt(600)).toBe("PENDING");
  expect(bench.vmm.use.privateBytes).toBe(2 * MIB);
});

it.each([
  ["kill", DEAD, VM_END.SMALL_ACCEPT],
  ["spin", UNRESOLVED, VM_END.NONE],
] as const)("meets a small accept with %s by policy", (smallAccept, result, end) => {
  const bench = new Bench({ policy: { smallAccept } });
  bench.touch(512);
  expect([bench.accept(600, 0), bench.vmm.life.ended]).toEqual([result, end]);
});

it("ends the VM at an access to a pending page", () => {
  const bench = new Bench();
  bench.touch(5);
  expect(bench.touch(5, 1, EEQ_TYPE.PENDING_EPT_VIOLATION)).toBe(DEAD);
  expect(bench.vmm.life.end).toEqual({ reason: VM_END.PENDING_ACCESS, gpa: 5 * 4096, vcpu: 1, status: 0 });
  expect(vmEndName(bench.vmm.life.ended)).toBe("pending access");
  expect(bench.touch(6)).toBe(DEAD);
});

it("lets a guest use an unplugged block of a live memslot: host memory grows beyond what was given", () => {
  const bench = withDevice();
  expect(bench.accept(WINDOW, 1)).toBe(DONE);
  bench.ask(VIRTIO_MEM_REQUEST.PLUG, 2048, 1);
  bench.accept(WINDOW + 2048, 0);
  expect([bench.vmm.pluggedFrame(WINDOW), bench.vmm.use.privateBytes]).toEqual([false, 2 * MIB + 4096]);
  expect(bench.vmm.strayBytes(0)).toBe(2 * MIB);
});

it("ends the VM at an unplugged block where the policy says so", () => {
  const bench = withDevice({ unplugged: "kill" });
  expect([bench.accept(WINDOW, 1), bench.vmm.life.ended]).toEqual([DEAD, VM_END.UNPLUGGED_BLOCK]);
});

it("ends the VM where no memslot is: outside of all memory, and in an empty dynamic memslot", () => {
  const outside = new Bench();
  expect([outside.touch((8 * GIB) / 4096), outside.vmm.life.ended]).toEqual([DEAD, VM_END.NO_MEMORY_THERE]);
  const dynamic = new Bench({ virtioMem: [{ id: "vm0", size: 32 * MIB, dynamicMemslots: true }] });
  expect([dynamic.touch(WINDOW), dynamic.vmm.life.ended]).toEqual([DEAD, VM_END.NO_MEMORY_THERE]);
});

it("counts a spinning vCPU's exits in a row and ends the VM at the limit", () => {
  const bench = withDevice({ unplugged: "spin", spinLimit: 3 });
  expect([bench.touch(WINDOW), bench.touch(WINDOW)]).toEqual([UNRESOLVED, UNRESOLVED]);
  bench.touch(0);
  expect([1, 2, 3].map(() => bench.touch(WINDOW))).toEqual([UNRESOLVED, UNRESOLVED, DEAD]);
  expect(bench.vmm.life.ended).toBe(VM_END.STUCK);
});

it("converts a shared page implicitly, 4 KiB at a time, and gives its shared memory back", () => {
  const bench = withDevice({ start: "shared" });
  const vmm = bench.vmm;
  vmm.pieceOf(1).shared.add(3);
  vmm.use.account(0, 1);
  expect(bench.accept(WINDOW + 3, 1)).toBe(DONE);
  expect(bench.tdx.calls.at(-1)).toBe(`MEM.PAGE.AUG ${WINDOW + 3}`);
  expect([vmm.pieceOf(1).isPrivate.count, vmm.use.sharedBytes, vmm.use.privateBytes]).toEqual([1, 0, 4096]);
  expect(bench.events).toContain(`IMPLICIT_CONVERSION vcpu 0 gpa ${(WINDOW + 3) * 4096} private 1`);
});

it("does not convert implicitly where the policy forbids it", () => {
  const bench = withDevice({ start: "shared", implicitConversion: "kill" });
  expect([bench.touch(WINDOW), bench.vmm.life.ended]).toEqual([DEAD, VM_END.WRONG_POLARITY]);
});

it("sends a vCPU back when somebody else mapped the page meanwhile, or holds a lock", () => {
  const bench = new Bench();
  bench.touch(5);
  const before = bench.tdx.calls.length;
  expect([bench.touch(5), bench.tdx.calls.length]).toEqual([DONE, before]);
  bench.tdx.planned.push([TDH["TDH.MEM.PAGE.AUG"], "OPERAND_BUSY"]);
  expect([bench.touch(2000), bench.tdx.stateAt(2000)]).toEqual([DONE, "FREE"]);
  expect([bench.touch(2000), bench.tdx.stateAt(2000)]).toEqual([DONE, "PENDING"]);
});

it("ends the VM when the host has no memory, or less than its limit allows", () => {
  const poor = new Bench({ host: { base: 0, size: 2 * MIB } });
  expect([poor.touch(5), poor.vmm.life.ended]).toEqual([DEAD, VM_END.HOST_OUT_OF_MEMORY]);
  const limited = new Bench({ hostLimit: 3 * MIB });
  expect([limited.touch(0), limited.touch(512), limited.vmm.life.ended]).toEqual([
    DONE,
    DEAD,
    VM_END.HOST_OUT_OF_MEMORY,
  ]);
});

it("ends the VM when the module refuses a mapping it has no reason to refuse", () => {
  const bench = new Bench();
  bench.tdx.planned.push([TDH["TDH.MEM.PAGE.AUG"], "TD_FATAL"]);
  expect([bench.touch(5), bench.vmm.life.ended]).toEqual([DEAD, VM_END.MODULE_REFUSED]);
});
