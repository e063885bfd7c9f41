import { describe, expect, it } from "vitest";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { boot } from "../src/machine/boot.ts";
import { Machine } from "../src/machine/machine.ts";
import { SharedBoots } from "../src/machine/shared-boots.ts";
import { deepState, differences } from "../src/machine/testing/deep-state.ts";
import { latenciesOf } from "../src/scenario/latency.ts";
import { CommonBoots } from "../src/scenario/model/common-boots.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { play } from "../src/scenario/player.ts";
import type { Scenario } from "../src/scenario/scenario.ts";
import { loadBundled } from "./model-machine.ts";

const withDesign = (scenario: Scenario, design: string): Scenario => ({
  ...scenario,
  guest: { ...scenario.guest, design },
});

/** All that happened under one design, and what came of it. */
const played = async (scenario: Scenario, boots?: CommonBoots) => {
  const rows: string[] = [];
  const world = new ModelWorld(boots);
  const { report } = await play(scenario, world, {
    version: "test",
    lean: true,
    onEvent: (event, line) => rows.push(`${line} ${JSON.stringify(event)}`),
  });
  return {
    rows,
    report,
    tally: world.tally(),
    waits: world.waits(),
    ...latenciesOf(scenario, report.played),
  };
};

describe("with every design a scenario is the same, whether boots are shared or not", () => {
  it.each([
    ["virtio-mem-replug", []],
    ["virtio-mem-replug", ["seed=7", "machine.vcpus=3", "vmm.discard=both"]],
    ["virtio-mem-replug", ["platform=snp"]],
    ["virtio-mem-replug", ["guest.accept=eager"]],
    ["virtio-mem-replug", ["faults={swarm: true}", "seed=5"]],
    ["dimm-memory", ["machine.dimms=[{id: d1, size: 256M}]", "machine.maxmem=12G", "machine.slots=2"]],
    ["virtio-mem-memory", ["machine.vcpus=4", "machine.nodes=2", "platform=snp"]],
    ["callbacks-refused", []],
    ["linux/reset", []],
    ["kexec/other-design", []],
    ["host-td-secure", []],
  ] as const)("%s %j", async (name, overrides) => {
    const scenario = loadBundled(name, overrides);
    const boots = new CommonBoots(DESIGN_NAMES);
    for (const design of DESIGN_NAMES) {
      const own = withDesign(scenario, design);
      expect(await played(own, boots), design).toEqual(await played(own));
    }
  });
});

const configOf = (scenario: Scenario, design: string) => machineConfigOf(withDesign(scenario, design));

/** For each design in turn: whether the machine that booted is one that booted before. */
const sharers = (scenario: Scenario, designs: readonly string[]): boolean[] => {
  const boots = new SharedBoots(designs.map((design) => configOf(scenario, design).design));
  return designs.map((design) => {
    const fresh = new Machine(configOf(scenario, design));
    const { machine } = boots.boot(fresh);
    const alone = new Machine(configOf(scenario, design));
    boot(alone);
    // Which objects a configuration has in common with the machine is no part of its state.
    machine.config = configOf(scenario, design);
    alone.config = machine.config;
    expect(differences(deepState(alone), deepState(machine)), design).toEqual([]);
    return machine !== fresh;
  });
};

it("designs that differ in hooks only share a boot that calls none, down to every byte of the machine", () => {
  const designs = ["none", "bitmaps", "notifier", "tide", "callbacks"];
  expect(sharers(loadBundled("virtio-mem-replug"), designs)).toEqual([false, false, true, true, true]);
});

it("a boot that adds memory is not shared by designs with other hooks", () => {
  const scenario = loadBundled("dimm-memory", ["machine.dimms=[{id: d1, size: 256M}]", "machine.slots=2"]);
  const designs = ["none", "notifier", "notifier-strict", "snp-hotplug"];
  expect(sharers(scenario, designs)).toEqual([false, false, false, false]);
});

it("worlds share boots only where nothing but the design differs", () => {
  const boots = new CommonBoots(DESIGN_NAMES);
  const scenario = loadBundled("virtio-mem-replug");
  const first = boots.of(scenario);
  expect(boots.of(withDesign(scenario, "tide"))).toBe(first);
  expect(boots.of({ ...scenario, seed: 2 })).not.toBe(first);
  expect(boots.of({ ...scenario, guest: { ...scenario.guest, accept: "eager" } })).not.toBe(first);
});

it("where another kernel starts, or a host has the TD, each boots alone", () => {
  const boots = new CommonBoots(DESIGN_NAMES);
  expect(boots.of(loadBundled("kexec/other-design"))).toBeUndefined();
  expect(boots.of(loadBundled("host-td-secure"))).toBeUndefined();
});
