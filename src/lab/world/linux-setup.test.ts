import { expect, it } from "vitest";
import { NotModelled } from "../../not-modelled.ts";
import { loadScenario } from "../../scenario/load.ts";
import { ScenarioError } from "../../scenario/scenario-error.ts";
import { commandLineOf, linuxConfigOf } from "./linux-setup.ts";

const scenarioOf = (machine: string, guest = "{}") =>
  loadScenario(`name: m\nmachine: ${machine}\nguest: ${guest}\nsteps: [boot]\n`, {
    file: "m.yaml",
    designs: ["none"],
    readBytes: () => new Uint8Array(),
  });
const configOf = (machine: string, guest?: string, kernelIsOwn = false) =>
  linuxConfigOf(scenarioOf(machine, guest), kernelIsOwn);

it("a machine that its VMM starts is taken as it was asked for", () => {
  const { dimms, gpaw } = configOf("{memory: 2G, slots: 2, dimms: [{id: d0, size: 1G, slot: 1}]}");
  expect(dimms).toEqual([{ id: "d0", size: 2 ** 30, node: 0, slot: 1 }]);
  expect(gpaw).toBeUndefined();
});

it("a machine that no VMM starts is a mistake in the scenario, told on one line", () => {
  const twice = "{memory: 2G, slots: 2, dimms: [{id: d0, size: 1G, slot: 0}, {id: d1, size: 1G, slot: 0}]}";
  expect(() => configOf(twice)).toThrow(ScenarioError);
  expect(() => configOf(twice)).toThrow(
    "m.yaml:2:1: machine: expected a machine that can be started, found slot: expected a free one of 2, found 0",
  );
});

it("memory that the guest is to reserve is named on the kernel's command line", () => {
  const words = commandLineOf(scenarioOf("{memory: 1G}", "{reserveMem: {size: 4194204, align: 1G}}")).split(
    " ",
  );
  expect(words).toContain("reserve_mem=4194204:1073741824:tidemark");
  expect(commandLineOf(scenarioOf("{memory: 1G}"))).not.toContain("reserve_mem");
});

it.each([
  [
    "{memory: 1G, firmware: {poolAddress: 0x100000}}",
    "{}",
    /^not modelled: a place of its own for EFI pool memory/,
  ],
  [
    "{memory: 1G, firmware: {efiMemoryMap: [{at: 0x100000, size: 4K, type: 0}]}}",
    "{}",
    /^not modelled: an EFI memory map of its own/,
  ],
  ["{memory: 1G}", "{deferredInit: false}", /^not modelled: a kernel without deferred initialisation/],
  ["{memory: 1G}", "{kernel: 7.3, revert: [B14]}", /^not modelled: a kernel 7.3 without the fix of B14/],
])("what would be left out silently is refused: %s %s", (machine, guest, why) => {
  expect(() => configOf(machine, guest)).toThrow(NotModelled);
  expect(() => configOf(machine, guest)).toThrow(why);
});

it("a kernel that lacks the fixes anyway, or is the user's own, is taken", () => {
  expect(configOf("{memory: 1G}", "{kernel: 6.12, revert: [B14]}").layout.memory).toBe(2 ** 30);
  expect(configOf("{memory: 1G}", "{kernel: 7.3, revert: [B14]}", true).layout.memory).toBe(2 ** 30);
});
