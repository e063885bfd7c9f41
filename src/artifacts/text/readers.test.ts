import { describe, expect, it } from "vitest";
import { factsIn, readArtifact, troublesIn } from "../testing/read-artifact.ts";

const iomem = (start: number, end: number, name: string, depth: number) => ({
  kind: "iomem",
  start,
  end,
  name,
  depth,
});

describe("/proc/iomem", () => {
  it("keeps the levels, whether they are two spaces or three", () => {
    const text =
      "100000000-2ffffffff : virtio0\n   100000000-15fffffff : System RAM (virtio_mem)\n300000000-33fffffff : x\n";
    expect(factsIn(text)).toEqual([
      iomem(0x1_0000_0000, 0x3_0000_0000, "virtio0", 0),
      iomem(0x1_0000_0000, 0x1_6000_0000, "System RAM (virtio_mem)", 1),
      iomem(0x3_0000_0000, 0x3_4000_0000, "x", 0),
    ]);
  });
  it("as grep prints it, numbered, and with what someone wrote behind a row", () => {
    const rows = [
      "/proc/iomem:100000000-2ffffffff : CXL Window 0",
      "12:  100000000-15fffffff : Soft Reserved   ### stays when the region goes",
      "    13\t\t100000000-13fffffff : dax0.0 <- aligned",
    ];
    expect(rows.flatMap((row) => factsIn(row))).toEqual([
      iomem(0x1_0000_0000, 0x3_0000_0000, "CXL Window 0", 0),
      iomem(0x1_0000_0000, 0x1_6000_0000, "Soft Reserved", 0),
      iomem(0x1_0000_0000, 0x1_4000_0000, "dax0.0", 0),
    ]);
  });
  it("read without privilege says nothing but that", () => {
    expect(factsIn("00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n")).toEqual([
      { kind: "hidden-iomem" },
    ]);
  });
});

describe("meminfo and vmstat", () => {
  it("meminfo of the machine and of a node", () => {
    const fact = { kind: "meminfo", unit: "kB" } as const;
    const text =
      "MemTotal:   1901484 kB\nActive(anon): 12 kB\nHugePages_Total:       3\n\nMore: 5 kB\nNode 1 MemTotal:  7 kB\n";
    expect(factsIn(text)).toEqual([
      { ...fact, node: undefined, name: "MemTotal", value: 1901484 },
      { ...fact, node: undefined, name: "Active(anon)", value: 12 },
      { kind: "meminfo", node: undefined, name: "HugePages_Total", value: 3, unit: "pages" },
      { ...fact, node: 1, name: "MemTotal", value: 7 },
    ]);
  });
  it("vmstat from its first counter on", () => {
    expect(factsIn("nr_free_pages 12\nnr_unaccepted 3\nthe end 4 you\nnr_other 1\n")).toEqual([
      { kind: "vmstat", name: "nr_free_pages", value: 12 },
      { kind: "vmstat", name: "nr_unaccepted", value: 3 },
    ]);
  });
});

describe("memory blocks", () => {
  const block = {
    kind: "memory-block",
    block: 40,
    state: undefined,
    zones: undefined,
    removable: undefined,
    node: undefined,
  };
  it("one line a block", () => {
    expect(factsIn("memory40 phys_index=00000028 state=going-offline zones=Normal Movable\n")).toEqual([
      { ...block, state: "going-offline", zones: "Normal Movable" },
    ]);
  });
  it("as grep prints the files", () => {
    const text =
      "/sys/devices/system/memory/block_size_bytes:8000000\n/sys/devices/system/memory/memory40/state:online\n/sys/devices/system/memory/memory40/valid_zones:Movable\n/sys/devices/system/memory/memory40/removable:1\n";
    expect(factsIn(text)).toEqual([
      { kind: "block-size", bytes: 2 ** 27 },
      { ...block, state: "online" },
      { ...block, zones: "Movable" },
      { ...block, removable: true },
    ]);
  });
});

describe("lsmem", () => {
  const row = {
    kind: "lsmem",
    start: 0,
    end: 0x8000_0000,
    state: "online",
    removable: true,
    node: 0,
    zones: "DMA32",
  };
  it("with the columns that were asked for, and what someone wrote behind a row", () => {
    const text =
      "# lsmem -o RANGE,SIZE,STATE,REMOVABLE,NODE,ZONES\n> RANGE                                  SIZE  STATE REMOVABLE NODE ZONES\n> 0x0000000000000000-0x000000007fffffff    2G online       yes    0 DMA32 <-- boot\n\nMemory block size:       128M\nTotal online memory:     1.5T\n";
    expect(factsIn(text)).toEqual([
      row,
      { kind: "block-size", bytes: 2 ** 27 },
      { kind: "lsmem-total", what: "online", bytes: 1.5 * 2 ** 40 },
    ]);
  });
  const block = (start: number, state: string, removable: boolean | undefined) => ({
    kind: "lsmem",
    start,
    end: start + 2 ** 27,
    state,
    removable,
    node: undefined,
    zones: undefined,
  });
  const LOW = "0x0000000000000000-0x0000000007ffffff";
  const NEXT = "0x0000000008000000-0x000000000fffffff";

  it("an empty cell says nothing, and moves no other: REMOVABLE of an offline block", () => {
    const table = [
      "RANGE                                  SIZE   STATE REMOVABLE BLOCK NODE   ZONES",
      `${LOW}  128M  online       yes     0    0    None`,
      `${NEXT}  128M offline               1    1  Normal`,
    ];
    expect(factsIn(table.join("\n"))).toEqual([
      { ...block(0, "online", true), node: 0, zones: "None" },
      { ...block(2 ** 27, "offline", undefined), node: 1, zones: "Normal" },
    ]);
    const raw = ["RANGE SIZE STATE REMOVABLE BLOCK NODE", `${NEXT} 128M offline  1 3`];
    expect(factsIn(raw.join("\n"))).toEqual([{ ...block(2 ** 27, "offline", undefined), node: 3 }]);
  });
  it("columns that are not read keep their place", () => {
    const table = [
      "RANGE                                 SIZE   STATE BLOCK CONFIGURED MEMMAP-ON-MEMORY NODE",
      `${LOW} 128M  online     0        yes              yes    2`,
      `${NEXT} 128M offline     1         no               no    3`,
      "Memmap on memory parameter:        yes",
    ];
    expect(factsIn(table.join("\n"))).toEqual([
      { ...block(0, "online", undefined), node: 2 },
      { ...block(2 ** 27, "offline", undefined), node: 3 },
    ]);
  });
  it("where white space was lost, cells are counted, and those that cannot be are none", () => {
    const table = [
      "RANGE SIZE STATE REMOVABLE BLOCK NODE",
      `${LOW} 128M on->off no 0 0`,
      `${NEXT} 128M offline 1 2`,
    ];
    expect(factsIn(table.join("\n"))).toEqual([
      { ...block(0, "on->off", false), node: 0 },
      block(2 ** 27, "offline", undefined),
    ]);
  });
  it("wrapped by a mailer, heading and rows", () => {
    const table = [
      "> RANGE                                  SIZE  STATE REMOVABLE BLOCK",
      "> NODE ZONES",
      `> ${LOW}  128M online       yes     0    0`,
      "> None",
      `> ${NEXT}  128M online        no     1`,
      "> 1 Movable",
      ">",
      "> Memory block size:       128M",
    ];
    expect(factsIn(table.join("\n"))).toEqual([
      { ...block(0, "online", true), node: 0, zones: "None" },
      { ...block(2 ** 27, "online", false), node: 1, zones: "Movable" },
      { kind: "block-size", bytes: 2 ** 27 },
    ]);
  });
  it("without a heading, as pairs, and with spaces that do not break", () => {
    expect(factsIn(`${LOW}  128M online       yes     0\n`)).toEqual([block(0, "online", true)]);
    const pair = `RANGE="${LOW}" SIZE="134217728" STATE="offline" REMOVABLE="" BLOCK="0" NODE="4"\n`;
    expect(factsIn(pair)).toEqual([{ ...block(0, "offline", undefined), node: 4 }]);
    const table = `RANGE                                  SIZE  STATE REMOVABLE BLOCK\n${LOW}  128M online       yes     0\n`;
    expect(factsIn(table.replaceAll(" ", "\u00a0"))).toEqual([block(0, "online", true)]);
  });
  it("as JSON", () => {
    const text =
      '{\n  "memory": [\n    {"range":"0x0000000000000000-0x000000007fffffff", "size":"2G", "state":"online", "removable":true, "node":0, "zones":"DMA32", "block":"0-15"}\n  ]\n}\n';
    expect(factsIn(text)).toEqual([row]);
  });
});

describe("conversations with a VMM", () => {
  const dimm = {
    kind: "memory-device",
    id: "d1",
    type: "dimm",
    addr: 0x1_4000_0000,
    size: 2 ** 30,
    maxSize: undefined,
    requested: undefined,
    blockSize: undefined,
    node: 0,
    slot: 0,
  };
  it("an answer over several lines, as documentation quotes it", () => {
    const text =
      '# <- { "return": [ { "data":\n#      { "addr": 5368709120,\n#        "id": "d1", "node": 0,\n#        "size": 1073741824, "slot": 0},\n#      "type": "dimm" } ] }\n';
    expect(factsIn(text)).toEqual([dimm]);
  });
  it("what the human monitor answers", () => {
    const text =
      '(qemu) info memory-devices\nMemory device [dimm]: "d1"\n  addr: 0x140000000\n  slot: 0\n  node: 0\n  size: 1073741824\n  memdev: /objects/m\n  hotplugged: true\n(qemu) \n';
    expect(factsIn(text)).toEqual([dimm]);
  });
  it("a request that was refused, and one that was not", () => {
    const ask = (bytes: number): string =>
      `{"execute": "qom-set", "arguments": {"path": "/machine/peripheral/vm0", "property": "requested-size", "value": ${bytes}}}\n`;
    const text = `${ask(7)}{"error": {"class": "GenericError", "desc": "no"}}\n${ask(8)}{"event": "RTC_CHANGE", "data": {}}\n{"return": {}}\n`;
    expect(factsIn(text)).toEqual([
      { kind: "qmp-error", command: "qom-set", said: "no" },
      { kind: "device-request", id: "vm0", bytes: 7, refused: "no" },
      { kind: "device-request", id: "vm0", bytes: 8, refused: undefined },
    ]);
  });
  it("a document that never ends is told with the line it began on", () => {
    const text = '{"return": {}}\n{"return": [\n{"data": {},\n';
    expect(troublesIn(text)).toEqual(["warning 2: a JSON document that ends | the end of the text"]);
  });
  it("braces that are no JSON take no line away", () => {
    expect(factsIn("struct page {\n100000000-1ffffffff : System RAM\n}\n")).toHaveLength(1);
  });
});

describe("text forms of ACPI tables", () => {
  const rows = [
    "53 4C 49 54 30 00 00 00 01 AF 31 30 32 38 31 31  SLIT0.....102811",
    "4F 45 4D 53 4C 49 54 20 28 10 11 20 4D 53 46 54  OEMSLIT (.. MSFT",
    "97 00 00 00 02 00 00 00 00 00 00 00 0A 15 15 0A  ................",
  ].map((row, i) => `    00${i}0: ${row}`);
  const slit = {
    kind: "slit",
    distances: [
      [10, 21],
      [21, 10],
    ],
  };
  it("acpidump, also quoted", () => {
    const text = ["SLIT @ 0x0000000000000000", ...rows, ""].map((line) => `> ${line}`).join("\n");
    expect(factsIn(text)[1]).toEqual(slit);
  });
  it("acpidump with a row missing says which", () => {
    expect(troublesIn(["SLIT @ 0x0000000000000000", rows[0], rows[2]].join("\n"))[0]).toBe(
      "error 3: the row of byte 0x10 | that of byte 0x20",
    );
  });
  it("a listing of iasl, by its raw data or by its fields alone", () => {
    const fields = [
      '[000h 0000   4]                    Signature : "SLIT"    [System Locality Information Table]',
      "[004h 0004   4]                 Table Length : 00000030",
      "[008h 0008   1]                     Revision : 01",
      "[009h 0009 001h]                     Checksum : AF",
      '[00Ah 0010   6]                       Oem ID : "102811"',
      '[010h 0016   8]                 Oem Table ID : "OEMSLIT "',
      "[018h 0024   4]                 Oem Revision : 20111028",
      '[01Ch 0028   4]              Asl Compiler ID : "MSFT"',
      "[020h 0032   4]        Asl Compiler Revision : 00000097",
      "[024h 0036   8]                   Localities : 0000000000000002",
      "[02Ch 0044   2]                 Locality   0 : 0A 15",
      "[02Eh 0046   2]                 Locality   1 : 15 0A",
    ];
    const raw = ["", "Raw Table Data: Length 48 (0x30)", "", ...rows];
    for (const text of [fields, [...fields, ...raw]]) {
      const { sink } = readArtifact(text.join("\n"));
      expect(sink.facts.map(({ kind }) => kind)).toEqual(["acpi-table", "slit"]);
      expect(sink.troubles).toEqual([]);
    }
  });
});
