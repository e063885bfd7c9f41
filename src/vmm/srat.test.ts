import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { sharedData } from "../../test/shared-data.ts";
import { decodeSrat } from "../abi/acpi/srat.ts";
import { GIB, MIB } from "../units.ts";
import { explicitLayout, type GuestLayout, q35Layout } from "./layout.ts";
import { qemuSrat } from "./srat.ts";

const rows = (table: Uint8Array | undefined): string[] =>
  decodeSrat(table!).entries.flatMap((entry) => {
    if (entry.kind !== "memory") return [];
    const { base, rangeLength, flags, proximityDomain } = entry.fields;
    return [`pxm ${proximityDomain} 0x${base.toString(16)}+0x${rangeLength.toString(16)} flags ${flags}`];
  });

it("describes -m 1G,slots=4,maxmem=8G as QEMU 7.2 does", () => {
  const layout = q35Layout({ memory: GIB, slots: 4, maxmem: 8 * GIB });
  expect(rows(qemuSrat(layout, [], [0]))).toEqual([
    "pxm 0 0x0+0xa0000 flags 1",
    "pxm 0 0x100000+0x3ff00000 flags 1",
    "pxm 0 0x0+0x0 flags 0",
    "pxm 0 0x100000000+0x2c0000000 flags 3",
  ]);
});

it("describes nothing without nodes, slots and maxmem", () => {
  expect(qemuSrat(q35Layout({ memory: GIB }), [], [0])).toBeUndefined();
});

it("cuts a node that spans the PCI hole in two", () => {
  const layout = q35Layout({ memory: 4 * GIB });
  const nodes = [{ memory: GIB }, { memory: 3 * GIB }];
  expect(rows(qemuSrat(layout, nodes, [0, 1]))).toEqual([
    "pxm 0 0x0+0xa0000 flags 1",
    "pxm 0 0x100000+0x3ff00000 flags 1",
    "pxm 1 0x40000000+0x40000000 flags 1",
    "pxm 1 0x100000000+0x80000000 flags 1",
  ]);
});

const q35 = (mib: number, slots: number, maxmem: number): GuestLayout =>
  q35Layout({ memory: mib * MIB, slots, maxmem: maxmem * MIB });
const halves = (mib: number) => [{ memory: (mib / 2) * MIB }, { memory: (mib / 2) * MIB }];

/** File, layout, nodes, node of each vCPU. Arguments as QEMU's own tests and the recordings give them. */
const TABLES = [
  ["rec-pcdimm-2node.SRAT.dat", q35(2048, 4, 16384), halves(2048), [0, 1]],
  ["rec-virtiomem-2node.SRAT.dat", q35(2048, 0, 20480), halves(2048), [0, 1]],
  ["qemu-x86-q35-SRAT.memhp.dat", q35(128, 3, 1024), halves(128), [0]],
  ["qemu-x86-q35-SRAT.cphp.dat", q35(128, 0, 128), halves(128), [0, 0, 0, undefined, 1, 1, 1]],
  ["qemu-x86-q35-SRAT.acpihmat.dat", q35(128, 2, 1024), halves(128), [0, 0]],
  ["qemu-x86-q35-SRAT.mmio64.dat", q35(128, 1, 2048), [{ memory: 128 * MIB }], [0]],
  ["qemu-x86-q35-SRAT.numamem.dat", q35(128, 0, 128), [{ memory: 0 }, { memory: 128 * MIB }], [0]],
  [
    "qemu-x86-q35-SRAT.acpihmat-noinitiator.dat",
    q35(128, 0, 128),
    [{ memory: 32 * MIB }, { memory: 32 * MIB }, { memory: 64 * MIB }],
    [0, 0, 1, 1],
  ],
  [
    "qemu-x86-q35-SRAT.xapic.dat",
    q35(128, 0, 128),
    [{ memory: 0 }, { memory: 128 * MIB }],
    Array.from({ length: 288 }, () => 0),
  ],
] as const;

for (const [name, layout, nodes, cpus] of TABLES) {
  const path = sharedData("acpi", name);
  it.skipIf(path === undefined)(`makes ${name} byte for byte (needs the shared data)`, () => {
    expect(qemuSrat(layout, nodes, cpus)).toEqual(new Uint8Array(readFileSync(path!)));
  });
}

it("takes RAM ranges that are not those of a q35", () => {
  const layout = explicitLayout({
    ram: [
      { start: 4 * GIB, size: GIB },
      { start: 6 * GIB, size: GIB },
    ],
  });
  const nodes = [{ memory: 1.5 * GIB }, { memory: 0.5 * GIB }];
  expect(rows(qemuSrat(layout, nodes, []))).toEqual([
    "pxm 0 0x100000000+0x40000000 flags 1",
    "pxm 0 0x180000000+0x20000000 flags 1",
    "pxm 1 0x1a0000000+0x20000000 flags 1",
    "pxm 0 0x0+0x0 flags 0",
  ]);
});

it.each([
  ["NUMA node memory", [{ memory: GIB }], [0]],
  ["vCPU node", [{ memory: 2 * GIB }], [0, 1]],
])("refuses a wrong %s", (what, nodes, cpus) => {
  expect(() => qemuSrat(q35Layout({ memory: 2 * GIB }), nodes, cpus)).toThrow(
    expect.objectContaining({ name: "VmmError", what }),
  );
});
