import { describe, expect, it } from "vitest";
import type { FactBody } from "../facts.ts";
import { factsIn, readArtifact, troublesIn } from "../testing/read-artifact.ts";

const ram = { kind: "e820", type: "RAM", said: "usable", start: 0x10_0000, end: 0x8000_0000 } as const;
const RAM_LINE = "BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable";
const hotplug = {
  kind: "srat-memory",
  proximity: 1,
  node: 1,
  enabled: true,
  hotplug: true,
  nonVolatile: false,
  start: 0x1_0000_0000,
  end: 0x5_8000_0000,
} as const;
const HOTPLUG_LINE = "ACPI: SRAT: Node 1 PXM 1 [mem 0x100000000-0x57fffffff] hotplug";
const unaccepted = {
  kind: "efi",
  map: "boot",
  index: 110,
  type: 15,
  attributes: undefined,
  start: 0x1_0000_0000,
  end: 0x1_8000_0000,
} as const;

/** A line of a log, and what it says. */
const LINES: readonly (readonly [line: string, ...facts: FactBody[]])[] = [
  ["Linux version 7.3.4 (a@b) (gcc) #1 SMP", { kind: "kernel", version: "7.3.4" }],
  ["Command line: ro quiet ", { kind: "command-line", text: "ro quiet" }],
  [
    "DMI: QEMU Standard PC, BIOS 1.16.2 04/01/2014",
    { kind: "dmi", text: "QEMU Standard PC, BIOS 1.16.2 04/01/2014" },
  ],
  [
    "Memory: 378676K/2090516K available (...)",
    { kind: "memory-total", availableKib: 378676, totalKib: 2090516 },
  ],
  ["x86/mm: Memory block size: 128MB", { kind: "block-size", bytes: 2 ** 27 }],
  [
    "efi: ACPI 2.0=0x7f37d014 (Unaccepted=0x7f37eb18 unusable) ",
    { kind: "efi-table", name: "ACPI 2.0", address: 0x7f37d014, usable: true },
    { kind: "efi-table", name: "Unaccepted", address: 0x7f37eb18, usable: false },
  ],
  [
    "ACPI: SRAT 0x000000007F775000 000118 (v01 BOCHS  BXPC     00000001 BXPC 00000001)",
    {
      kind: "table-address",
      signature: "SRAT",
      address: 0x7f775000,
      length: 0x118,
      revision: 1,
      maker: "BOCHS  BXPC     00000001 BXPC 00000001",
    },
  ],
  [RAM_LINE, ram],
  ["BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff]  System RAM", { ...ram, said: "System RAM" }],
  ["BIOS-e820: 0000000000100000 - 0000000080000000 (usable)", ram],
  ["BIOS-e820: [gap 0x0000000080000000-0x00000000afffffff]"],
  [
    "efi: mem07: [Conventional|   |  |CC|  |  |  |  |  |  |  |   |WB|WT|WC|UC] range=[0x0000000000100000-0x000000007fffffff] (2047MB)",
    {
      kind: "efi",
      map: "boot",
      index: 7,
      type: 7,
      attributes: ["CC", "WB", "WT", "WC", "UC"],
      start: 0x10_0000,
      end: 0x8000_0000,
    },
  ],
  [
    "efi: mem12: type=7, attr=0x800000000000000f, range=[0x0000000000100000-0x0000000080000000) (2047MB)",
    {
      kind: "efi",
      map: "boot",
      index: 12,
      type: 7,
      attributes: ["RUN", "WB", "WT", "WC", "UC"],
      start: 0x10_0000,
      end: 0x8000_0000,
    },
  ],
  ["efi: mem110: [Unaccepted <snip>] range=[0x0000000100000000-0x000000017fffffff] (2048MB)", unaccepted],
  [HOTPLUG_LINE, hotplug],
  [
    "SRAT: PXM 3 -> APIC 0x1f -> Node 2",
    { kind: "srat-cpu", proximity: 3, node: 2, apicId: 31, enabled: true },
  ],
  [
    "  node   1: [mem 0x0000000040000000-0x000000007ffdffff]",
    { kind: "node-range", node: 1, start: 0x4000_0000, end: 0x7ffe_0000 },
  ],
  [
    "virt/tdx: BIOS enabled: private KeyID range [64, 128)",
    { kind: "platform", role: "TDX host", said: "virt/tdx: BIOS enabled: private KeyID range [64, 128)" },
    { kind: "tdx-keyids", first: 64, end: 128 },
  ],
  ["virt/tdx: CMR: [0x100000, 0x6f800000)", { kind: "cmr", start: 0x10_0000, end: 0x6f80_0000 }],
  ["virt/tdx: 1050644 KB allocated for PAMT", { kind: "pamt", kib: 1050644 }],
  [
    "virt/tdx: initialization failed: TDMR [0x0, 0x80000000): reserved areas exhausted.",
    { kind: "reserved-areas-exhausted", start: 0, end: 0x8000_0000 },
  ],
  ["virt/tdx: initialization failed: TDMRs exhausted.", { kind: "tdmrs-exhausted" }],
  [
    "virt/tdx: module initialization failed (-28)",
    { kind: "platform", role: "TDX host", said: "virt/tdx: module initialization failed (-28)" },
    { kind: "tdx-failed", errno: 28 },
  ],
  [
    "virt/tdx: Reject hot-adding memory range: 0x100000000-0x180000000 for TDX compatibility.",
    { kind: "hot-add-rejected", start: 0x1_0000_0000, end: 0x1_8000_0000 },
  ],
  ["tdx: Guest detected", { kind: "platform", role: "TDX guest", said: "tdx: Guest detected" }],
  [
    "tdx: TD_CTLS: PENDING_VE_DISABLE REDUCE_VE",
    { kind: "td-words", word: "TD_CTLS", names: ["PENDING_VE_DISABLE", "REDUCE_VE"] },
  ],
  ["Memory Encryption Features active: AMD SME"],
  [
    "Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP",
    { kind: "platform", role: "SNP guest", said: "AMD SEV SEV-ES SEV-SNP" },
  ],
  [
    "virtio_mem virtio0: requested size: 0x10000000",
    { kind: "virtio-mem", device: "virtio0", field: "requested size", value: 0x1000_0000 },
  ],
  ["memory memory40: Offline failed.", { kind: "offline-failed", block: 40 }],
  [
    "Block size [0x8000000] unaligned hotplug range: start 0x100000000, size 0x1000000",
    {
      kind: "hotplug-event",
      what: "unaligned",
      said: "Block size [0x8000000] unaligned hotplug range: start 0x100000000, size 0x1000000",
      range: { start: 0x1_0000_0000, end: 0x1_0100_0000 },
    },
  ],
  ["usb 1-1: new high-speed USB device number 2 using xhci_hcd"],
];

describe("a line says what the kernel meant", () => {
  it.each(LINES.map(([line, ...facts]) => ({ line, facts })))("$line", ({ line, facts }) => {
    expect(factsIn(`[    0.000000] ${line}\n`)).toEqual(facts);
    expect(troublesIn(line)).toEqual([]);
  });
});

describe("a log is read as people pass it on", () => {
  it.each([
    ["with a quotation mark", `> > [    0.000000] ${RAM_LINE}`],
    ["with journald's prefix", `Jun 11 20:15:39 host kernel: ${RAM_LINE}`],
    ["with the level of a test robot", `kern  :info  : [    0.000000] ${RAM_LINE}`],
    ["with the number of the task", `[    0.000000][    T0] ${RAM_LINE}`],
    ["behind a monitor's prompt", `(qemu) [    0.000000] ${RAM_LINE}`],
    ["with the colours of a terminal", `\u001b[32m[    0.000000]\u001b[0m ${RAM_LINE}\r`],
    ["with a tab in front", `\t${RAM_LINE}`],
  ])("%s", (_how, line) => {
    expect(factsIn(`${line}\n`)).toEqual([ram]);
  });

  it("a line that a mailer wrapped is put together", () => {
    const wrapped = [
      "[    0.010900] ACPI: SRAT: Node 1 PXM 1 [mem ",
      "0x100000000-0x57fffffff] hotplug",
      "[ 0.000000] efi: mem110: [Unaccepted <snip>] ",
      "range=[0x0000000100000000-0x000000017fffffff] (2048MB)",
    ];
    expect(factsIn(wrapped.join("\n"))).toEqual([hotplug, unaccepted]);
  });

  it("a word that was wrapped to the next line still counts", () => {
    expect(factsIn("> ACPI: SRAT: Node 1 PXM 1 [mem 0x100000000-0x57fffffff]\n> hotplug\n")).toEqual([
      hotplug,
    ]);
  });

  it("lines without time stamps are not mistaken for the rest of the line before", () => {
    const other = "BIOS-e820: [mem 0x0000000080000000-0x000000008fffffff] reserved";
    expect(factsIn(`${RAM_LINE}\n${other}\n${RAM_LINE}\n`)).toHaveLength(3);
  });

  it("a line that is cut is told with its number, and the next one is read", () => {
    const text = `x\n[    0.000000] BIOS-e820: [mem 0x0000000000\n[    0.000000] ${RAM_LINE}\n`;
    expect(troublesIn(text)).toEqual([
      'warning 2: a whole line of its kind | "[    0.000000] BIOS-e820: [mem 0x0000000000"',
    ]);
    expect(factsIn(text)).toEqual([ram]);
  });

  it("a number that a pager cut is told, not taken", () => {
    for (const mark of [">", "..."]) {
      const text = `virtio_mem virtio0: start address: 0x4800${mark}\n`;
      expect([factsIn(text), troublesIn(text)]).toEqual([[], [expect.stringContaining("a whole line")]]);
    }
  });

  it("the line behind one that ends in a number is not its rest", () => {
    const next = [
      "e820: remove [mem 0x1000-0x1fff]",
      "acpi PNP0A08:00: ready",
      "2026-11-20T10:11:12 host systemd[1]: up",
    ];
    for (const other of next) {
      const text = `efi: SMBIOS=0x7e9cc000 ACPI=0x7eb7d000 ACPI 2.0=0x7eb7d014 Unaccepted=0x7c0d4018\n${other}\n`;
      expect(factsIn(text).at(-1)).toMatchObject({ name: "Unaccepted", address: 0x7c0d_4018 });
    }
  });

  it("an address that no machine has is told, not taken", () => {
    expect(troublesIn("BIOS-e820: [mem 0x0000000000000000-0xffffffffffffffff] usable")).toHaveLength(1);
    expect(troublesIn("BIOS-e820: [mem 0x0000000000002000-0x0000000000001fff] usable")).toEqual([]);
    expect(troublesIn("BIOS-e820: [mem 0x0000000000002000-0x0000000000000fff] usable")).toHaveLength(1);
  });

  it("each start of a kernel is a boot of its own, and the runtime map is none of the machine's", () => {
    const boot = "[    0.000000] Linux version 6.1.0 (a@b) (gcc) #1 SMP";
    const efi = "efi: mem07: type=7, attr=0xf, range=[0x0000000000100000-0x0000000080000000) (2047MB)";
    const text = [boot, efi, "[    0.7] efi: EFI runtime memory map:", efi, boot, efi].join("\n");
    const { facts } = readArtifact(text).sink;
    expect(facts.map((fact) => [fact.kind === "efi" ? fact.map : fact.kind, fact.boot])).toEqual([
      ["kernel", 1],
      ["boot", 1],
      ["runtime", 1],
      ["kernel", 2],
      ["boot", 2],
    ]);
  });
});
