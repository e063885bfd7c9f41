import { expect, it } from "vitest";
import { NotModelled } from "../../not-modelled.ts";
import { loadScenario } from "../../scenario/load.ts";
import { linuxConfigOf } from "./linux-setup.ts";

const ONE = "{id: vm0, size: 512M}";
const TWO = `${ONE}, {id: vm1, size: 512M}`;

const configWith = (fault: string, devices = ONE, design = "none") =>
  linuxConfigOf(
    loadScenario(
      `name: f
machine: {memory: 2G, virtioMem: [${devices}]}
guest: {design: ${design}}
faults: [${fault}]
steps: [boot]
`,
      { file: "f.yaml", designs: ["none", "bitmaps"], readBytes: () => new Uint8Array() },
    ),
  );

it.each([
  "TDG.MEM.PAGE.ACCEPT at 7 answers OPERAND_BUSY",
  "TDG.MEM.PAGE.ACCEPT at 9 is interrupted after 100",
  "TDH.MEM.PAGE.AUG at 3 answers OPERAND_BUSY(SEPT_TREE)",
  "MapGPA at 1 answers RETRY",
  "vm0 PLUG at 1 answers NACK",
  "virtio-mem UNPLUG_ALL at 1 answers BUSY",
  "vm0 UNPLUG at 2 answers NO_REPLY",
  "vm0 PLUG at 2 is late by 20ms",
  "TDH.MEM.PAGE.AUG at 1 is late by 1ms",
  "ACPI _EJ0 at 1 answers IGNORED",
  "ACPI _STA at 1 answers ABSENT",
  "{call: arch_add_memory, answer: -ENOMEM}",
  "{call: alloc_pages, late: 1ms}",
  "{call: MEM_GOING_ONLINE, answer: -ENOMEM}",
])("%s can be made", (fault) => {
  expect(configWith(fault).faults?.rules).toHaveLength(1);
});

it.each([
  ["CPU access at 1 answers MACHINE_CHECK", ONE, "none", "a kernel loads and stores without being stopped"],
])("%s of %s under %s cannot, and the line says why", (fault, devices, design, line) => {
  expect(() => configWith(fault, devices, design)).toThrow(NotModelled);
  expect(() => configWith(fault, devices, design)).toThrow(line);
});

it.each([
  ["vm1 UNPLUG_ALL at 1 answers BUSY", TWO, "none"],
  ["vm0 PLUG at 1 is late by 1ms", TWO, "none"],
  ["vm1 STATE at 1 answers NO_REPLY", TWO, "none"],
  ["TDG.MEM.PAGE.ACCEPT at 1 is late by 1ms", ONE, "bitmaps"],
  ["{call: alloc_pages, answer: -ENOMEM}", ONE, "none"],
])("%s of %s under %s can be made", (fault, devices, design) => {
  expect(configWith(fault, devices, design).faults?.rules).toHaveLength(1);
});
