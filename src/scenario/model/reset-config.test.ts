import { expect, it } from "vitest";
import { Machine } from "../../machine/machine.ts";
import { GIB, MIB } from "../../units.ts";
import { plugDimm } from "../../vmm/dimm.ts";
import { loadScenario } from "../load.ts";
import { machineConfigOf } from "./model-config.ts";
import { configAfterReset } from "./reset-config.ts";

it("a machine that is reset keeps what was asked for, and its DIMMs where they are", () => {
  const scenario = loadScenario(
    `name: r
machine: {memory: 2G, vcpus: 2, nodes: 2, slots: 2, maxmem: 4G, virtioMem: [{id: vm0, size: 512M}]}
steps: [boot]
`,
    { file: "r.yaml", designs: ["none"], readBytes: () => new Uint8Array() },
  );
  const config = machineConfigOf(scenario);
  const machine = new Machine(config);
  machine.vmm.addBackend("d0", 256 * MIB);
  plugDimm(machine.vmm, { memdev: "d0", node: 1, slot: 1 }, true);
  machine.vmm.setRequestedSize(0, 128 * MIB);
  const after = configAfterReset(config, machine);
  // The device's region of 512 MiB lies at the start of the window.
  expect(after.dimms).toEqual([{ id: "d0", size: 256 * MIB, node: 1, slot: 1, addr: 4 * GIB + 512 * MIB }]);
  expect(after.virtioMem.map(({ id, requestedSize }) => [id, requestedSize])).toEqual([["vm0", 128 * MIB]]);
  expect(configAfterReset(after, new Machine(after)).dimms).toEqual(after.dimms);
});
