import { expect, it } from "vitest";
import { BLOCKED } from "../flat/procedure.ts";
import { GIB, MIB } from "../units.ts";
import { plugDimm, requestUnplugDimm } from "./dimm.ts";
import { handleEject } from "./eject.ts";
import { Bench, WINDOW } from "./testing/bench.ts";

const BASE = WINDOW * 4096;
const bench = (): Bench =>
  new Bench({
    backends: [
      { id: "m1", size: 16 * MIB },
      { id: "m2", size: 8 * MIB },
      { id: "odd", size: 5 * MIB },
      { id: "huge", size: 128 * MIB },
    ],
    nodes: 2,
  });

const flagsOf = (b: Bench, slot: number): number => {
  b.vmm.registers.write(0, 4, slot);
  return b.vmm.registers.read(0x14, 1);
};
const control = (b: Bench, slot: number, value: number): void => {
  b.vmm.registers.write(0, 4, slot);
  b.vmm.registers.write(0x14, 1, value);
};

it("takes the lowest free slot and the first gap, and raises an insert event", () => {
  const b = bench();
  expect([
    plugDimm(b.vmm, { memdev: "m1" }, true),
    plugDimm(b.vmm, { memdev: "m2", node: 1, slot: 3 }, true),
  ]).toEqual([0, 3]);
  expect(b.events.filter((event) => event.startsWith("DIMM"))).toEqual([
    `DIMM_PLUGGED slot 0 start ${BASE} size ${16 * MIB}`,
    `DIMM_PLUGGED slot 3 start ${BASE + 16 * MIB} size ${8 * MIB}`,
  ]);
  expect([flagsOf(b, 0), flagsOf(b, 1), flagsOf(b, 3)]).toEqual([3, 0, 3]);
  expect([b.vmm.takeGpe(), b.vmm.takeGpe()]).toEqual([true, false]);
  expect([b.vmm.pluggedAt(WINDOW / 512 + 11), b.vmm.pluggedAt(WINDOW / 512 + 12)]).toEqual([true, false]);
});

it("starts a DIMM at a multiple of 2 MiB, whatever ends before it", () => {
  const virtioMem = [{ id: "vm0", size: 3 * MIB, blockSize: MIB }];
  const b = new Bench({ virtioMem, backends: [{ id: "m1", size: 16 * MIB }] });
  plugDimm(b.vmm, { memdev: "m1" }, true);
  expect(b.vmm.registers.read(0, 4)).toBe(BASE + 4 * MIB);
});

it("raises no event for a DIMM that is there at boot", () => {
  const b = new Bench({ backends: [{ id: "m1", size: 16 * MIB }], dimms: [{ memdev: "m1" }] });
  expect([flagsOf(b, 0), b.vmm.takeGpe()]).toEqual([1, false]);
});

it.each([
  ["memdev", { memdev: "nothing" }],
  ["memdev", { memdev: "m1" }],
  ["node", { memdev: "m2", node: 2 }],
  ["slot", { memdev: "m2", slot: 4 }],
  ["slot", { memdev: "m2", slot: 0 }],
  ["huge size", { memdev: "huge" }],
  ["odd size", { memdev: "odd" }],
  ["m2 address", { memdev: "m2", addr: BASE + 4096 }],
  ["m2 address", { memdev: "m2", addr: BASE + 8 * MIB }],
  ["m2 address", { memdev: "m2", addr: BASE + 60 * MIB }],
])("refuses a wrong %s and changes nothing", (what, options) => {
  const b = bench();
  plugDimm(b.vmm, { memdev: "m1" }, true);
  const before = b.vmm.dimms.rows.slice();
  expect(() => plugDimm(b.vmm, options, true)).toThrow(expect.objectContaining({ name: "VmmError", what }));
  expect(b.vmm.dimms.rows).toEqual(before);
});

it("checks in QEMU's order: slot before room, room before alignment, size before address", () => {
  const b = bench();
  expect(() => plugDimm(b.vmm, { memdev: "huge", slot: 9, addr: 1 }, true)).toThrow("slot: expected");
  expect(() => plugDimm(b.vmm, { memdev: "huge", addr: 1 }, true)).toThrow("huge size: expected at most");
  expect(() => plugDimm(b.vmm, { memdev: "odd", addr: 1 }, true)).toThrow(
    "odd size: expected a multiple of 0x200000",
  );
});

it("refuses a DIMM when KVM has no memslot left", () => {
  const b = new Bench({ backends: [{ id: "m1", size: 2 * MIB }], maxMemslots: 1 });
  expect(() => plugDimm(b.vmm, { memdev: "m1" }, true)).toThrow(
    "memory slots of KVM: expected a free one of 1",
  );
});

it("lets a backend go only while nothing uses it", () => {
  const b = bench();
  plugDimm(b.vmm, { memdev: "m1" }, true);
  expect(() => b.vmm.deleteBackend("m1")).toThrow("id: expected a backend that nothing uses, found m1");
  b.vmm.deleteBackend("m2");
  expect(() => plugDimm(b.vmm, { memdev: "m2" }, true)).toThrow("memdev");
  expect(() => b.vmm.addBackend("m1", 4096)).toThrow("id: expected a name of its own");
});

it("reads address, size, node and flags of the selected slot, cut to the width of the access", () => {
  const b = new Bench({ backends: [{ id: "m1", size: 16 * MIB }], nodes: 2 });
  plugDimm(b.vmm, { memdev: "m1", slot: 2, node: 1 }, true);
  b.vmm.registers.write(0, 4, 2);
  const read = (offset: number): number => b.vmm.registers.read(offset, 4);
  expect([0, 4, 8, 0xc, 0x10, 0x14].map(read)).toEqual([GIB, 0, 16 * MIB, 0, 1, 3]);
  expect([b.vmm.registers.read(8, 2), b.vmm.registers.read(8, 1), b.vmm.registers.read(0x15, 1)]).toEqual([
    0, 0, 0xff,
  ]);
});

it("reads 0 for an empty slot and for one that does not exist, and ignores writes there", () => {
  const b = bench();
  b.vmm.registers.write(0, 4, 1);
  expect([0, 4, 8, 0x14].map((offset) => b.vmm.registers.read(offset, 4))).toEqual([0, 0, 0, 0]);
  b.vmm.registers.write(0, 4, 77);
  expect([0, 8, 0x14].map((offset) => b.vmm.registers.read(offset, 4))).toEqual([0, 0, 0]);
  b.vmm.registers.write(8, 4, 5);
  expect(b.events).toEqual([]);
  expect(flagsOf(b, 0)).toBe(0);
});

it("lets only the first bit of a control write count", () => {
  const b = bench();
  plugDimm(b.vmm, { memdev: "m1" }, true);
  requestUnplugDimm(b.vmm, 0);
  expect(flagsOf(b, 0)).toBe(7);
  control(b, 0, 2 | 4 | 8);
  expect([flagsOf(b, 0), b.vmm.dimms.ejecting]).toEqual([5, -1]);
  control(b, 0, 4 | 8);
  expect([flagsOf(b, 0), b.vmm.dimms.ejecting]).toEqual([1, -1]);
  control(b, 0, 8);
  expect(b.vmm.dimms.ejecting).toBe(0);
});

it("reports what the guest says of an event", () => {
  const b = bench();
  plugDimm(b.vmm, { memdev: "m1" }, true);
  b.vmm.registers.write(0, 4, 0);
  b.vmm.registers.write(4, 4, 3);
  b.vmm.registers.write(8, 4, 0x84);
  expect(b.events.at(-1)).toBe("ACPI_DEVICE_OST slot 0 source 3 status 132");
  expect([b.vmm.dimms.ostEvent(0), b.vmm.dimms.ostStatus(0)]).toEqual([3, 0x84]);
});

it("removes an ejected DIMM with everything behind it, and leaves its remove event pending", () => {
  const b = bench();
  plugDimm(b.vmm, { memdev: "m1" }, true);
  b.touch(WINDOW);
  b.touch(WINDOW + 700);
  b.vmm.pieceOf(b.vmm.areaOfSlot(0)).shared.add(4000);
  b.vmm.use.account(0, 1);
  control(b, 0, 2);
  requestUnplugDimm(b.vmm, 0);
  requestUnplugDimm(b.vmm, 0);
  control(b, 0, 8);
  b.run(handleEject);
  expect([b.events.at(-1), b.vmm.dimms.ejecting]).toEqual(["DEVICE_DELETED slot 0", -1]);
  expect([b.vmm.use.privateBytes, b.vmm.use.sharedBytes, b.tdx.stateAt(WINDOW)]).toEqual([0, 0, "FREE"]);
  expect([flagsOf(b, 0), b.vmm.pluggedFrame(WINDOW), b.vmm.registers.read(8, 4)]).toEqual([4, false, 0]);
  b.vmm.deleteBackend("m1");
});

it("maps small pages where a DIMM left its tables behind", () => {
  const b = bench();
  plugDimm(b.vmm, { memdev: "m1" }, true);
  b.accept(WINDOW, 0);
  control(b, 0, 8);
  b.run(handleEject);
  plugDimm(b.vmm, { memdev: "m2", addr: BASE }, true);
  b.touch(WINDOW);
  expect([b.tdx.calls.at(-2), b.tdx.calls.at(-1)]).toEqual([
    `MEM.PAGE.AUG ${WINDOW}/1`,
    `MEM.PAGE.AUG ${WINDOW}`,
  ]);
});

it("keeps a DIMM whose pages the guest holds, and says that the guest is at fault", () => {
  const b = bench();
  b.tdx.pageRelease = true;
  plugDimm(b.vmm, { memdev: "m1" }, true);
  b.touch(WINDOW);
  b.tdx.accept(WINDOW, WINDOW + 1);
  control(b, 0, 8);
  b.run(handleEject);
  expect([b.events.at(-1), b.vmm.pluggedFrame(WINDOW)]).toEqual(["DEVICE_UNPLUG_GUEST_ERROR slot 0", true]);
});

it("has nothing to eject in an empty slot, and nothing to unplug", () => {
  const b = bench();
  control(b, 0, 8);
  expect(b.task(handleEject, []).step(b.vmm)).toBe(BLOCKED);
  expect(() => requestUnplugDimm(b.vmm, 0)).toThrow("slot: expected one that holds a DIMM, found 0");
});
