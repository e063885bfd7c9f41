import { expect, it } from "vitest";
import { MIB } from "../units.ts";
import { explicitLayout } from "./layout.ts";
import { Bench, WINDOW } from "./testing/bench.ts";

it("counts a unit that RAM ends inside of as not plugged", () => {
  const layout = explicitLayout({ ram: [{ start: 0, size: 15 * MIB }] });
  const { vmm } = new Bench({ layout });
  expect([vmm.pluggedAt(6), vmm.pluggedAt(7), vmm.pluggedFrame(3839)]).toEqual([true, false, true]);
});

it("places devices in the order they are named, and refuses those that do not fit", () => {
  const two = new Bench({
    virtioMem: [
      { id: "vm0", size: 16 * MIB },
      { id: "vm1", size: 16 * MIB },
    ],
  });
  expect(two.vmm.devices.map((device) => device.addr - WINDOW * 4096)).toEqual([0, 16 * MIB]);
  const fits = { id: "vm0", size: 16 * MIB };
  for (const [what, virtioMem] of [
    ["virtio-mem id", [fits, fits]],
    ["vm0 memory backend size", [{ id: "vm0", size: 128 * MIB }]],
    ["vm0 address", [{ ...fits, memaddr: MIB }]],
    ["vm0 node", [{ ...fits, node: 1 }]],
    ["vm1 address", [fits, { ...fits, id: "vm1", memaddr: WINDOW * 4096 }]],
    ["vm0 address", [{ ...fits, memaddr: 8 * MIB }]],
  ] as const) {
    expect(() => new Bench({ virtioMem })).toThrow(expect.objectContaining({ name: "VmmError", what }));
  }
});
