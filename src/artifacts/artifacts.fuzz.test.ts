import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sratTable } from "../abi/acpi/srat.ts";
import { sratMemory } from "../abi/acpi/srat-subtables.ts";
import { findings } from "./findings/findings.ts";
import { layersOf, stretchesOf } from "./map/layers.ts";
import { survey } from "./map/survey.ts";
import { bytesOf, readArtifact } from "./testing/read-artifact.ts";

/** Pieces of every kind of text that is read: mixed up, they reach every state of every reader. */
const PIECES = [
  "[    0.000000] Linux version 6.1.0 (a@b) (gcc) #1 SMP\n",
  "[    0.000000] BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable\n",
  "BIOS-e820: [mem 0x",
  "efi: mem110: [Unaccepted  |   |  |  |  |  |  |  |  |  |  |   |WB|WT|WC|UC] range=[0x0000000100000000-0x000000017fffffff] (2048MB)\n",
  "efi: EFI runtime memory map:\n",
  "ACPI: SRAT: Node 1 PXM 1 [mem 0x100000000-0x57fffffff] hotplug\n",
  "ACPI: SRAT: Node 1 PXM 1 [mem \n",
  "virt/tdx: CMR: [0x100000, 0x6f800000)\n",
  "virtio_mem virtio0: start address: 0x100000000\n",
  "virtio_mem virtio0: region size: 0x200000000\n",
  "memory memory40: Offline failed.\n",
  "SRAT @ 0x0000000000000000\n",
  "    0000: 53 52 41 54 30 00 00 00 01 AF 31 30 32 38 31 31  SRAT0.....102811\n",
  '[000h 0000   4]                    Signature : "SRAT"    [System Resource Affinity Table]\n',
  "[004h 0004   4]                 Table Length : 00000108\n",
  "Raw Table Data: Length 264 (0x108)\n",
  "100000000-2ffffffff : virtio0\n  100000000-15fffffff : System RAM (virtio_mem)\n",
  "MemTotal:        1901484 kB\nMemFree:         1853044 kB\n",
  "nr_free_pages 12\nnr_unaccepted 3\n",
  "memory40 phys_index=00000028 state=online zones=Normal\n",
  "block_size_bytes 0x8000000\n",
  "RANGE                                  SIZE  STATE REMOVABLE   BLOCK\n",
  "0x0000000100000000-0x000000277fffffff  154G online       yes    2-78\n",
  '{"return": [{"type": "dimm", "data": {"addr": 4294967296, "size": 1073741824, "id": "d1"}}]}\n',
  '{"execute": "qom-set", "arguments": {"path": "/a/vm0", "property": "requested-size", "value": 1}}\n',
  '{"event": "MEMORY_DEVICE_SIZE_CHANGE", "data": {"id": "vm0", "size": 1}}\n{ "a": [',
  'Memory device [dimm]: "d1"\n  addr: 0x140000000\n  size: 134217728\n',
  "> ",
  "\n",
  "hotplug",
] as const;

const text = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...PIECES) },
    fc.string({ maxLength: 40 }),
    fc.tuple(fc.constantFrom(...PIECES), fc.nat(100)).map(([piece, cut]) => piece.slice(0, cut)),
    fc.tuple(fc.constantFrom(...PIECES), fc.nat(100)).map(([piece, cut]) => piece.slice(cut)),
  ),
  { maxLength: 30 },
);

/** A sound table with some bytes changed, and cut somewhere. */
const table = fc
  .tuple(
    fc.array(fc.tuple(fc.nat(3), fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 64n - 1n), fc.nat(15)), {
      maxLength: 5,
    }),
    fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 6 }),
    fc.constantFrom("SRAT", "CEDT", "HMAT", "SLIT", "MSCT", "APIC", "XSDT", "DSDT"),
    fc.nat(400),
  )
  .map(([entries, changes, signature, cut]) => {
    const bytes = sratTable(
      entries.map(([domain, base, size, flags]) => sratMemory(domain, base, size, flags)),
    );
    bytes.set(bytesOf(signature));
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    return bytes.slice(0, cut);
  });

/** The header of an unaccepted-memory table with some bits behind it. */
const unaccepted = fc
  .tuple(
    fc.nat(3),
    fc.nat(40),
    fc.uint8Array({ maxLength: 80 }),
    fc.array(fc.tuple(fc.nat(23), fc.nat(255)), { maxLength: 3 }),
  )
  .map(([version, size, bits, changes]) => {
    const header = bytesOf(`\0\0\0\0\0\0 \0\0\0\0\0\u0001\0\0\0\0\0\0\0\0\0\0\0`);
    header[0] = version;
    header[16] = size;
    for (const [at, value] of changes) header[at] = value;
    return Uint8Array.from([...header, ...bits]);
  });

const RUNS = 300;

/** Reads, judges and lays out; what is wrong has a place. */
const goThrough = (content: string | Uint8Array, piece?: number): void => {
  const { sink, source } = readArtifact(content, piece);
  for (const { at } of sink.troubles) expect(at.line ?? at.offset).toBeGreaterThanOrEqual(0);
  const read = survey(sink.facts);
  findings(read);
  stretchesOf(layersOf(read));
  expect(source.kinds.length > 0 || source.not.length > 0).toBe(true);
};

describe("whatever the bytes, there is a reading", () => {
  it("of any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => goThrough(bytes)),
      { numRuns: RUNS },
    );
  });
  it("of pieces of logs, tables and transcripts, mixed and cut", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 200 }), (pieces, piece) =>
        goThrough(pieces.join(""), piece),
      ),
      { numRuns: RUNS },
    );
  });
  it("of damaged ACPI tables", () => {
    fc.assert(
      fc.property(table, (bytes) => goThrough(bytes)),
      { numRuns: RUNS },
    );
  });
  it("of damaged unaccepted-memory tables", () => {
    fc.assert(
      fc.property(unaccepted, (bytes) => goThrough(bytes)),
      { numRuns: RUNS },
    );
  });
});
