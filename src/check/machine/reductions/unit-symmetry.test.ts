import { expect, it } from "vitest";
import { VM } from "../../../linux/virtio-mem/driver.ts";
import { acceptedOf, pluggedBit, unacceptedBit } from "../../../machine/facts.ts";
import { checkMachine } from "../check-machine.ts";
import type { MachineConfiguration } from "../configurations/configuration.ts";
import { HIGH_BASE, UNIT } from "../configurations/placement.ts";
import { SMALLEST } from "../configurations/standard-configurations.ts";
import { MachineSystem } from "../system.ts";

/** Two plugged blocks, of which one was brought online: memory in use lies in it. */
const withOnline = (block: number): MachineConfiguration => ({
  ...{ ...SMALLEST, name: `block ${block} online`, design: "bitmaps", zone: "none", rules: ["I2"] },
  device: { kind: "virtio-mem", units: 4 },
  before: [
    { do: "resize", to: 4 },
    { do: "online", block },
  ],
  programs: [
    { by: "operator", deeds: [{ do: "resize", to: 2 }], when: "at rest" },
    { by: { user: 1 }, deeds: [{ do: "allocate", units: 1, as: "heap" }], when: "any time" },
  ],
});
const [LOWER, UPPER] = [withOnline(0), withOnline(1)];

/** All that tables and hardware say of a unit, and nothing of where it lies. */
const unitText = ({ machine }: MachineSystem, unit: number): string => {
  const { kernel, platform, vmm, uses } = machine;
  const block = kernel.blocks.blockOf(unit * UNIT);
  return [
    acceptedOf(platform.pages, unit),
    ...[unacceptedBit(kernel, unit), pluggedBit(kernel, unit), uses.of(kernel, unit)],
    ...[kernel.blocks.stateOf(block), vmm.pluggedAt(unit), kernel.mm.isMapped(unit * 512)],
  ].join();
};

const unitsOf = (configuration: MachineConfiguration): string[] => {
  const system = new MachineSystem(configuration);
  system.reset();
  const { machine } = system;
  expect([machine.scheduler.activeCount[0], machine.kernel.virtioMem[0]!.words[VM.TIMER_MS]]).toEqual([0, 0]);
  return Array.from({ length: 6 }, (_, unit) => unitText(system, HIGH_BASE / UNIT + unit));
};

it("states whose units are the same once they are sorted have different futures: of two only one breaks a rule", {
  timeout: 600_000,
}, async () => {
  const [lower, upper] = [unitsOf(LOWER), unitsOf(UPPER)];
  expect(lower).not.toEqual(upper);
  expect([...lower].sort()).toEqual([...upper].sort());
  // The guard of the lower block's last unit lies in the upper block, which may be unplugged under its accept.
  expect(await checkMachine(LOWER)).toMatchObject({ verdict: "broken", broken: ["I2"] });
  expect(await checkMachine(UPPER)).toMatchObject({ verdict: "held", broken: [] });
});
