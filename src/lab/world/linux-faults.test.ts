import { expect, it } from "vitest";
import { NotModelled } from "../../not-modelled.ts";
import { loadScenario } from "../../scenario/load.ts";
import { linuxConfigOf } from "./linux-setup.ts";

const configWith = (fault: string) =>
  linuxConfigOf(
    loadScenario(
      `name: f
machine: {memory: 2G, virtioMem: [{id: vm0, size: 512M}]}
faults: [${fault}]
steps: [boot]
`,
      { file: "f.yaml", designs: ["none"], readBytes: () => new Uint8Array() },
    ),
  );

it.each([
  "TDG.MEM.PAGE.ACCEPT at 7 answers OPERAND_BUSY",
  "TDG.MEM.PAGE.ACCEPT at 9 is interrupted after 100",
  "TDH.MEM.PAGE.AUG at 3 answers OPERAND_BUSY(SEPT_TREE)",
  "MapGPA at 1 answers RETRY",
])("%s is ours to make", (fault) => {
  expect(configWith(fault).faults?.rules).toHaveLength(1);
});

it.each([
  ["vm0 PLUG at 1 answers NACK", "a fault of virtio-mem PLUG in the linux world: QEMU's device answers it"],
  [
    "ACPI _EJ0 at 1 answers IGNORED",
    "a fault of ACPI _EJ0 in the linux world: QEMU's firmware tables hold it",
  ],
  [
    "{call: arch_add_memory, answer: -ENOMEM}",
    "a fault of arch_add_memory in the linux world: it is the real kernel's own",
  ],
  ["TDH.MEM.PAGE.AUG at 1 is late by 1ms", "a late answer of TDH.MEM.PAGE.AUG in the linux world"],
])("%s is not, and the line says why", (fault, line) => {
  expect(() => configWith(fault)).toThrow(NotModelled);
  expect(() => configWith(fault)).toThrow(line);
});
