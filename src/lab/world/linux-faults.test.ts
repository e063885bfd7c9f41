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
  "vm0 PLUG at 1 answers NACK",
  "virtio-mem UNPLUG_ALL at 1 answers BUSY",
  "ACPI _EJ0 at 1 answers IGNORED",
  "{call: arch_add_memory, answer: -ENOMEM}",
  "{call: MEM_GOING_ONLINE, answer: -ENOMEM}",
])("%s can be made", (fault) => {
  expect(configWith(fault).faults?.rules).toHaveLength(1);
});

it.each([
  ["vm0 PLUG at 1 answers NO_REPLY", "a virtio-mem PLUG without a reply in the linux world"],
  ["ACPI _STA at 1 answers ABSENT", "a fault of ACPI _STA in the linux world: a kernel asks for it on"],
  [
    "{call: alloc_pages, answer: -ENOMEM}",
    "a fault of alloc_pages in the linux world: a kernel allocates pages too often to be stopped at each",
  ],
  ["TDH.MEM.PAGE.AUG at 1 is late by 1ms", "a late answer of TDH.MEM.PAGE.AUG in the linux world"],
])("%s cannot, and the line says why", (fault, line) => {
  expect(() => configWith(fault)).toThrow(NotModelled);
  expect(() => configWith(fault)).toThrow(line);
});
