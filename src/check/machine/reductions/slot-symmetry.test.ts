import { expect, it } from "vitest";
import { checkMachine } from "../check-machine.ts";
import type { MachineConfiguration } from "../configurations/configuration.ts";
import { SMALLEST } from "../configurations/standard-configurations.ts";
import { MachineSystem } from "../system.ts";

/** Two DIMMs of one size, of which that in slot `lower` lies lower; both are asked back. */
const withLower = (lower: number): MachineConfiguration => ({
  ...{ ...SMALLEST, name: `slot ${lower} is lower`, design: "bitmaps", rules: ["I2"] },
  device: { kind: "dimm", units: 2 },
  slots: 2,
  before: [
    { do: "plug", slot: lower },
    { do: "plug", slot: 1 - lower },
  ],
  programs: [
    {
      by: "operator",
      deeds: [
        { do: "unplug", slot: 0 },
        { do: "unplug", slot: 1 },
      ],
      when: "any time",
    },
    { by: { user: 1 }, deeds: [{ do: "allocate", units: 1, as: "heap" }], when: "any time" },
  ],
});

/** What each slot holds, and nothing of its number. */
const slotsOf = (configuration: MachineConfiguration): string[] => {
  const system = new MachineSystem(configuration);
  system.reset();
  const { vmm } = system.machine;
  return Array.from({ length: vmm.dimms.count }, (_, slot) => {
    const area = vmm.areaOfSlot(slot);
    return [vmm.map.start(area), vmm.map.end(area), vmm.dimms.flags(slot), vmm.dimms.ostStatus(slot)].join();
  });
};

it("states whose slots are the same once they are sorted have different futures: of two only one breaks a rule", {
  timeout: 600_000,
}, async () => {
  const [first, second] = [slotsOf(withLower(0)), slotsOf(withLower(1))];
  expect(first).not.toEqual(second);
  expect([...first].sort()).toEqual([...second].sort());
  // The scan goes by number. Where it ejects the upper DIMM first, an accept in the lower one takes a unit of it as its guard.
  expect(await checkMachine(withLower(0))).toMatchObject({ verdict: "held", broken: [] });
  expect(await checkMachine(withLower(1))).toMatchObject({ verdict: "broken", broken: ["I2"] });
});
