import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ownData } from "../../../test/shared-data.ts";
import { sratTable } from "../../abi/acpi/srat.ts";
import { sratMemory } from "../../abi/acpi/srat-subtables.ts";
import { FactSink } from "../../artifacts/fact-sink.ts";
import { main } from "../main.ts";
import { fakeSystem } from "../testing/fake-system.ts";
import { ArtifactFiles } from "./files.ts";
import { inspectJsonSchema, inspectSchema } from "./schema.ts";
import { tarArchive } from "./testing/tar-archive.ts";

const LOG = "[    0.000000] BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable\n";
/** The same, packed with xz. */
const PACKED_LOG =
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4ABMADVdAC2IMEYC4aB2XuHSekpXMOV8docX6DXC654ueK2PMq+KUPIpoyfwYuYsvKzI0tqvv5PFu6AAAAAAAHiNyza4dtZRAAFRTRPkS4sftvN9AQAAAAAEWVo=";
/** The same, packed with bzip2 and with zstd. */
const BZIP2_LOG =
  "QlpoOTFBWSZTWWr9zS4AABffgH0QQANw0BAgiAozBgpAIABUYwAAAAA1NQB6jQaepmU9TRiYYg1sJuqFmuUAZACUvgiR6mnJ30VluotXruz/74/nWR+8LuSKcKEg1fuaXA==";
const ZSTD_LOG =
  "KLUv/QRY1QEAtAJbICAgIDAuMF0gQklPUy1lODIwOiBbbWVtIDB4MDEwLTdmXSB1c2FibGUKBQC4gTaXAduCuheIA3CA1Dg=";
const SRAT = sratTable([sratMemory(1, 0x1_0000_0000n, 0x8000_0000n, 3)]);

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-inspect-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const write = (path: string, content: string | Uint8Array): string => {
  const whole = join(folder, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, content);
  return whole;
};

const inspect = async (...args: readonly string[]) => {
  const system = fakeSystem({});
  const status = await main(["inspect", ...args], system);
  return { status, out: system.out(), err: system.err(), system };
};

const json = async (...args: readonly string[]) =>
  inspectSchema.parse(JSON.parse((await inspect(...args, "--json")).out));

describe("the exit status says how it went", () => {
  it("0: everything was read, and nothing is wrong", async () => {
    const { status, out, err } = await inspect(write("dmesg", LOG));
    expect([status, err]).toEqual([0, ""]);
    expect(out).toContain("2G RAM by the e820");
  });
  it("1: a damaged table yields what could be read, and the byte", async () => {
    const { status, out } = await inspect(write("SRAT", SRAT.slice(0, 60)));
    expect(status).toBe(1);
    expect(out).toMatch(
      /error .*SRAT@4\n {2}expected SRAT: a length of at most 60, the bytes there are, found 88/,
    );
  });
  it("1: a finding that is an error", async () => {
    const file = write("log", "virt/tdx: module initialization failed (-28)\n");
    expect((await inspect(file)).status).toBe(1);
  });
  it("2: nothing known, with every kind that was tried and why it did not fit", async () => {
    const { status, out, err } = await inspect(write("notes.txt", "buy milk\n"));
    expect(status).toBe(2);
    expect(out).toContain("ACPI table: 9 bytes, fewer than a header of 36");
    expect(out).toContain("kernel log: no line in which a kernel tells of memory");
    expect(err.split("\n")).toHaveLength(2);
  });
  it("2: a file that is not there, one line", async () => {
    const { status, out, err } = await inspect(join(folder, "none"));
    expect([status, out]).toEqual([2, ""]);
    expect(err).toMatch(/^".*none": expected a file or a folder, found one that is not there\n$/);
  });
  it("1: packed data that is no packed data", async () => {
    for (const head of [
      [0x28, 0xb5, 0x2f, 0xfd, 0, 0],
      [0x42, 0x5a, 0x68, 0x39, 1, 2, 3],
    ]) {
      const { status, out } = await inspect(write("log", Uint8Array.from(head)));
      expect([status, out]).toEqual([1, expect.stringMatching(/expected (zstd|bzip2) data to its end/)]);
    }
  });
});

describe("where artifacts come from", () => {
  const TREE = {
    "sys/devices/system/memory/block_size_bytes": "8000000\n",
    "sys/devices/system/memory/memory32/state": "online\n",
    "sys/devices/system/memory/memory32/valid_zones": "Normal\n",
    "sys/firmware/memmap/0/start": "0x100000\n",
    "sys/firmware/memmap/0/end": "0x7fffffff\n",
    "sys/firmware/memmap/0/type": "System RAM\n",
    "proc/iomem": "00100000-7fffffff : System RAM\n100000000-107ffffff : System RAM (virtio_mem)\n",
    "etc/passwd": "root:x:0:0\n",
  };
  const KINDS = ["block-size", "e820", "iomem", "iomem", "memory-block"];

  it("a saved tree of /sys and /proc", async () => {
    for (const [path, content] of Object.entries(TREE)) write(path, content);
    const { facts, machine } = await json(folder);
    expect(facts.map(({ kind }) => kind).sort()).toEqual(KINDS);
    expect(machine.blockBytes).toBe(2 ** 27);
  });
  it("an archive of one, packed or not, without writing anything", async () => {
    const archive = tarArchive(
      Object.fromEntries(Object.entries(TREE).map(([path, text]) => [`host-1/../${path}`, text])),
    );
    for (const file of [write("a.tar", archive), write("a.tar.gz", gzipSync(archive))]) {
      const { facts } = await json(file);
      expect(facts.map(({ kind }) => kind).sort()).toEqual(KINDS);
    }
  });
  it("a packed log inside an archive, and an archive inside an archive, three deep", async () => {
    const log = gzipSync(LOG);
    const kinds = async (file: string) => (await json(file)).facts.map(({ kind }) => kind);
    expect(await kinds(write("a.tar", tarArchive({ "host/var/log/dmesg.1.gz": log })))).toContain("e820");
    let archive = tarArchive({ "host/var/log/dmesg": LOG });
    for (let depth = 1; depth <= 3; depth++) archive = tarArchive({ "host/sos.tar.gz": gzipSync(archive) });
    expect(await kinds(write("b.tar", archive))).toContain("e820");
    const { status, out } = await inspect(write("c.tar", tarArchive({ "host/sos.tar": archive })));
    expect([status, out.includes("expected at most 3 archives around a file")]).toEqual([2, true]);
  });
  it("a packed log", async () => {
    expect((await json(write("dmesg.gz", gzipSync(LOG)))).machine.ramSource).toBe("e820");
  });
  it.each([
    ["bzip2", BZIP2_LOG],
    ["zstd", ZSTD_LOG],
  ])("a log packed with %s, and one that is cut", async (kind, base64) => {
    const bytes = Buffer.from(base64, "base64");
    expect((await json(write("dmesg.packed", bytes))).machine.ram).toEqual([
      { start: 0x10_0000, end: 0x8000_0000 },
    ]);
    const { status, out } = await inspect(write("cut.packed", bytes.subarray(0, bytes.length - 10)));
    expect([status, out.includes(`expected ${kind} data to its end`)]).toEqual([1, true]);
  });

  it("a log packed with xz, and one that is damaged", async () => {
    const file = write("dmesg.xz", Buffer.from(PACKED_LOG, "base64"));
    expect((await json(file)).machine.ram).toEqual([{ start: 0x10_0000, end: 0x8000_0000 }]);
    const { status, out } = await inspect(write("cut.xz", Buffer.from(PACKED_LOG, "base64").subarray(0, 70)));
    expect([status, out.includes("expected xz data to its end")]).toEqual([1, true]);
  });
  it("several files meet on one map", async () => {
    const { map } = await json(write("dmesg", LOG), write("SRAT", SRAT));
    expect(map.map(({ name }) => name)).toEqual(["e820 RAM", "SRAT hotpl."]);
  });
  it("links inside a folder lead nowhere", async () => {
    write("proc/meminfo", "MemTotal: 12 kB\n");
    symlinkSync("/", join(folder, "root"));
    expect((await json(folder)).facts).toHaveLength(1);
  });
});

describe("what unfolds without end is cut", () => {
  it("packed data", async () => {
    const file = write("bomb.gz", gzipSync(Buffer.alloc(2 ** 22)));
    const sink = new FactSink();
    await new ArtifactFiles(sink, { unfolded: 2 ** 20, files: 10 }).read(file);
    expect(sink.troubles).toEqual([
      {
        severity: "error",
        at: { source: file, offset: 2 ** 20 },
        expected: `at most ${2 ** 20} bytes when unpacked`,
        found: "more",
      },
    ]);
  });
  it("packed data in an archive, by the sum of what they unfold to", async () => {
    const half = gzipSync(Buffer.alloc(2 ** 19 + 1));
    const file = write("bombs.tar", tarArchive({ "a.gz": half, "b.gz": half }));
    const sink = new FactSink();
    await new ArtifactFiles(sink, { unfolded: 2 ** 20, files: 10 }).read(file);
    expect(sink.troubles).toMatchObject([{ at: { source: `${file}:b.gz` }, found: "more" }]);
  });
  it("packed data that is damaged", async () => {
    const packed = gzipSync(LOG.repeat(100));
    const { status, out } = await inspect(write("log.gz", packed.subarray(0, packed.length - 20)));
    expect(status).toBe(1);
    expect(out).toContain("expected gzip data to its end");
  });
});

describe("--lsmem prints lsmem's columns and three more", () => {
  const BLOCKS =
    "block_size_bytes 0x8000000\nmemory0 phys_index=00000000 state=online zones=none\nmemory1 phys_index=00000001 state=online zones=DMA32\nmemory32 phys_index=00000020 state=offline zones=Normal\n";
  it("with a dash where nothing that was read tells", async () => {
    const files = [
      write("blocks", BLOCKS),
      write("log", "BIOS-e820: [mem 0x0000000000100000-0x000000000fffffff] usable\n"),
    ];
    const { out } = await inspect(...files, "--lsmem");
    expect(out.split("\n").map((line) => line.trimEnd())).toEqual([
      "RANGE                                 SIZE   STATE REMOVABLE BLOCK PLUGGED UNACCEPTED PRIVATE",
      "0x0000000000000000-0x000000000fffffff 256M  online         -   0-1    256M          -       -",
      "0x0000000100000000-0x0000000107ffffff 128M offline         -    32       -          -       -",
      "",
      "Memory block size:       128M",
      "Total online memory:     256M",
      "Total offline memory:    128M",
      "",
    ]);
  });
  it("without totals where the table has no STATE", async () => {
    const rows = "RANGE                                 SIZE\n0x0000000000000000-0x000000007fffffff   2G\n";
    const { out } = await inspect(write("lsmem", rows), "--lsmem");
    expect(out).toMatch(/Total online memory: +-\nTotal offline memory: +-\n$/);
  });
  it("with what is unaccepted and private by the table", async () => {
    // Base 4 GiB, 16 units of 2 MiB, the first eight unaccepted; all of them plugged.
    const table = Uint8Array.from([
      2, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 255, 0, 255, 255,
    ]);
    const device =
      '{"return": [{"type": "virtio-mem", "data": {"memaddr": 4294967296, "size": 33554432, "max-size": 134217728, "id": "vm0"}}]}\n';
    const log = "BIOS-e820: [mem 0x0000000000000000-0x000000000fffffff] usable\n";
    const files = [write("table", table), write("qmp", device), write("blocks", BLOCKS), write("log", log)];
    const { out } = await inspect(...files, "--lsmem");
    expect(out.split("\n")[2]).toMatch(/ 32 +32M +16M +16M$/);
  });
  it("with what is plugged by the VMM's word alone, where it can only be there", async () => {
    const blocks = (...numbers: readonly number[]): string =>
      `block_size_bytes 0x8000000\n${numbers.map((n) => `memory${n} phys_index=0 state=online zones=Normal\n`).join("")}`;
    const qmp = (size: number): string =>
      `{"return": [{"type": "virtio-mem", "data": {"memaddr": 4294967296, "size": ${size}, "max-size": 1073741824, "id": "vm0"}}]}\n`;
    const plugged = async (size: number, ...numbers: readonly number[]) => {
      const { out } = await inspect(write("q", qmp(size)), write("b", blocks(...numbers)), "--lsmem");
      const rows = out.split("\n\n")[0]!.split("\n").slice(1);
      return rows.map((row) => row.split(/ +/)[5]);
    };
    // Blocks 0 and 1 are no device's: RAM of the boot. The device has 24 MiB of one block; then just its two blocks.
    expect(await plugged(24 * 2 ** 20, 0, 1, 32)).toEqual(["256M", "24M"]);
    expect(await plugged(2 ** 28, 0, 1, 32, 34)).toEqual(["256M", "128M", "128M"]);
    // 24 MiB may lie in the one or the other; more is plugged than the guest has.
    expect(await plugged(24 * 2 ** 20, 0, 1, 32, 34)).toEqual(["256M", "-", "-"]);
    expect(await plugged(2 ** 28, 0, 1, 32)).toEqual(["256M", "-"]);
  });
  it("and says what is missing where there are no blocks", async () => {
    const { status, err } = await inspect(write("dmesg", LOG), "--lsmem");
    expect([status, err.includes("expected memory blocks for --lsmem, found none")]).toEqual([2, true]);
  });
});

describe("--fields prints tables as iasl lists them", () => {
  it("field by field", async () => {
    const { out } = await inspect(write("SRAT", SRAT), "--fields");
    expect(out).toContain('[000h 0000   4]                    Signature : "SRAT"');
    expect(out).toContain("[030h 0048   1]                Subtable Type : 01 [Memory Affinity]");
    expect(out).toContain("                               Hot Pluggable : 1");
  });
  it("and says what is missing without tables", async () => {
    expect((await inspect(write("dmesg", LOG), "--fields")).err).toContain(
      "expected ACPI tables for --fields",
    );
  });
});

describe("--scenario writes a machine that can be played", () => {
  const play = async (...files: readonly string[]) => {
    const { status, err, system } = await inspect(...files, "--scenario", "machine.yaml");
    expect([status, err]).toEqual([0, ""]);
    const text = system.files.get("machine.yaml") ?? "";
    const player = fakeSystem({ "machine.yaml": text });
    return { text, status: await main(["run", "machine.yaml"], player), out: player.out() };
  };

  it("of a recorded session: the options of the VM come out as they were given", async () => {
    const { text, status } = await play(ownData("acpi", "rec-pcdimm-2node.SRAT.dat"), write("qmp", QMP));
    // QEMU was started with -m 2G,slots=4,maxmem=16G and two nodes of 1 GiB.
    expect(text).toMatch(/memory: 2G\n {2}vcpus: 2\n {2}nodes: 2\n {2}slots: 4\n {2}maxmem: 16G\n/);
    expect(text).toContain(
      'dimm: dimm1\n      size: 1G\n      node: 0\n      slot: 0\n      addr: "0x100000000"',
    );
    expect(status).toBe(0);
  });
  it("of a log alone", async () => {
    const high = "BIOS-e820: [mem 0x0000000100000000-0x000000017fffffff] usable\n";
    const { text, status } = await play(write("dmesg", `${LOG}${high}`));
    expect(text).toContain("memory: 4G\n  nodes: 1\n  firmware:");
    expect(status).toBe(0);
  });
  it("and says what is missing where the RAM is not told", async () => {
    const { status, err } = await inspect(write("SRAT", SRAT), "--scenario", "x.yaml");
    expect([status, err]).toEqual([
      2,
      "--scenario x.yaml: expected the RAM of a machine, found none; give its dmesg, its e820 or its SRAT\n",
    ]);
  });
});

const QMP = [
  '{"return": [{"type": "dimm", "data": {"addr": 4294967296, "size": 1073741824, "slot": 0, "node": 0, "id": "dimm1"}}]}',
  ...[0, 1, 2, 3].map(
    (slot) => `{"return": [{"source": 0, "status": 0, "slot": "${slot}", "slot-type": "DIMM"}]}`,
  ),
].join("\n");

// `npx vitest run -u` writes the file anew after a change of the schema.
it("the published schema of the report is current", async () => {
  const text = `${JSON.stringify(inspectJsonSchema(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../../docs/schema/inspect-report.schema.json");
});
