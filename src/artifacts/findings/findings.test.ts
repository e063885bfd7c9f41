import { describe, expect, it } from "vitest";
import { FactSink } from "../fact-sink.ts";
import { survey } from "../map/survey.ts";
import { readArtifact } from "../testing/read-artifact.ts";
import { FINDING_RULES, findings } from "./findings.ts";

/** What is found in these texts, each an artifact of its own: "severity id: text". */
const found = (...texts: readonly string[]): string[] => {
  const sink = new FactSink();
  for (const [i, text] of texts.entries())
    for (const fact of readArtifact(text).sink.facts)
      sink.facts.push({ ...fact, at: { ...fact.at, source: `${i}` } });
  return findings(survey(sink.facts)).map(({ severity, id, text }) => `${severity} ${id}: ${text}`);
};

const ids = (...texts: readonly string[]): string[] =>
  found(...texts).map((line) => line.slice(0, line.indexOf(":")));

const hex16 = (n: number): string => n.toString(16).padStart(16, "0");
const e820 = (start: number, end: number, type = "usable"): string =>
  `BIOS-e820: [mem 0x${hex16(start)}-0x${hex16(end - 1)}] ${type}\n`;
const efi = (n: number, type: string, start: number, end: number): string =>
  `efi: mem0${n}: [${type}] range=[0x${hex16(start)}-0x${hex16(end - 1)}] (1MB)\n`;
const srat = (pxm: number, start: number, end: number, more = "", node = pxm): string =>
  `ACPI: SRAT: Node ${node} PXM ${pxm} [mem 0x${start.toString(16)}-0x${(end - 1).toString(16)}]${more}\n`;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const LOW = e820(0, 0x9_f000);
const RAM = e820(MIB, 2 * GIB);
const GUEST = "tdx: Guest detected\n";
const CMR = "virt/tdx: CMR: [0x100000, 0x80000000)\n";

it("every rule has a name and a text of its own, and says where it is from", () => {
  expect(new Set(FINDING_RULES.map(({ id }) => id)).size).toBe(FINDING_RULES.length);
  for (const { what, source } of FINDING_RULES) expect([what, source]).not.toContain("");
});

describe("sources that disagree", () => {
  it("RAM of the e820 that the EFI map has as reserved, and the other way round", () => {
    const text = LOW + RAM + efi(0, "Conventional", MIB, GIB) + efi(1, "Loader Data", 4 * GIB, 5 * GIB);
    expect(found(text)).toEqual([
      "warning e820-differs-from-efi: the e820 calls RAM what the EFI memory map does not: 0x40000000-0x7fffffff, 1G",
      "warning e820-differs-from-efi: the EFI memory map calls RAM what the e820 does not: 0x100000000-0x13fffffff, 1G",
    ]);
  });
  it("of an e820 or an EFI map of which some lines are missing nothing is concluded", () => {
    const efiMap = efi(0, "Conventional", MIB, GIB) + efi(1, "Loader Data", 4 * GIB, 5 * GIB);
    expect(ids(e820(GIB, 2 * GIB) + efi(5, "Conventional", MIB, GIB))).toEqual([]);
    expect(ids(e820(MIB, GIB) + efiMap)).toEqual([]);
  });
  it("an SRAT of which a log shows a part is not blamed for the rest", () => {
    expect(ids(RAM + srat(1, 4 * GIB, 8 * GIB, " hotplug"))).toEqual(["note stub-table", "note stub-table"]);
    const nodes = "  node   0: [mem 0x100000-0x3fffffff]\n  node   1: [mem 0x40000000-0x7fffffff]\n";
    expect(ids(RAM + srat(0, 0, GIB) + nodes)).toEqual([]);
  });
  it("unaccepted memory is RAM to the e820", () => {
    expect(ids(RAM + efi(0, "Unaccepted", MIB, 2 * GIB))).toEqual(["note stub-table", "note stub-table"]);
  });
  it("an SRAT that leaves out more than 1 MiB of RAM loses its nodes, less is let pass", () => {
    expect(ids(RAM + srat(0, 0, GIB))).toEqual(["warning srat-does-not-cover-ram"]);
    expect(ids(RAM + srat(0, 0, 2 * GIB - MIB))).toEqual(["note srat-does-not-cover-ram"]);
  });
  it("two SRATs that are not the same", () => {
    expect(ids(srat(0, 0, GIB), srat(0, 0, 2 * GIB))).toEqual(["warning srat-sources-differ"]);
    expect(ids(srat(0, 0, GIB), srat(0, 0, GIB))).toEqual([]);
  });
  it("domains that overlap", () => {
    expect(found(srat(0, 0, 2 * GIB) + srat(1, GIB, 3 * GIB))).toEqual([
      "warning srat-entries-overlap: proximity domains 0 and 1 both have 0x40000000-0x7fffffff: Linux gives up the SRAT's nodes",
    ]);
  });
  it("RAM that /proc/iomem does not show", () => {
    expect(ids(RAM, "00100000-3fffffff : System RAM\n")).toEqual(["warning iomem-lacks-boot-ram"]);
    expect(ids(RAM, "00100000-7fffffff : System RAM\n")).toEqual([]);
  });
});

describe("hot-pluggable ranges", () => {
  const TYPE15 = efi(0, "Unaccepted", 4 * GIB, 6 * GIB);
  it("outside the window of upstream's table are dangerous, inside they are not", () => {
    const outside = found(TYPE15 + srat(0, 6 * GIB, 12 * GIB, " hotplug"));
    expect(outside[0]).toContain(
      "warning hotplug-outside-window: hot-pluggable 0x180000000-0x2ffffffff lies outside",
    );
    expect(ids(TYPE15 + srat(0, 4 * GIB, 6 * GIB, " hotplug"))).toContain("note hotplug-outside-window");
  });
  it("size the table of RFC v2, whose window is worked out by hand", () => {
    // 4 GiB to 22 GiB are 9216 units: 1152 bytes a bitmap, 24 + 2 * 1152 = 2328 bytes in all.
    expect(found(srat(1, 4 * GIB, 22 * GIB, " hotplug"))).toEqual([
      "note stub-table: upstream's stub (table version 1) makes no table: no unaccepted memory is described",
      "note stub-table: the stub of RFC v2 (table version 2) covers 0x100000000-0x57fffffff with two bitmaps of 1152 bytes: base 0x100000000, unit 2M, 2.27K in all",
    ]);
  });
  it("do not overlap RAM that may have been plugged into them", () => {
    expect(ids("100000000-13fffffff : System RAM\n", srat(0, 4 * GIB, 8 * GIB, " hotplug"))).toEqual([
      "note stub-table",
      "note stub-table",
    ]);
  });
  it("without a whole unit, overlapping RAM, overlapping each other", () => {
    expect(ids(srat(0, 4 * GIB + MIB, 4 * GIB + 3 * MIB, " hotplug"))).toContain(
      "warning hotplug-below-unit",
    );
    expect(ids(RAM + srat(0, 0, 2 * GIB, " hotplug"))).toContain("warning hotplug-overlaps-ram");
    const two = srat(0, 4 * GIB, 6 * GIB, " hotplug") + srat(1, 5 * GIB, 7 * GIB, " hotplug");
    expect(ids(two)).toContain("warning hotplug-ranges-overlap");
  });
});

/** RAM with this many holes of 1 MiB between 1 MiB and 1 GiB, and one at each end of the TDMR. */
const holed = (holes: number): string =>
  Array.from({ length: holes + 1 }, (_, i) => e820((1 + 3 * i) * MIB, (3 + 3 * i) * MIB)).join("");

describe("a TDX host", () => {
  it("runs out of reserved areas with the 17th hole of a TDMR", () => {
    // The TDMR is [0, 1G): the hole below 1 MiB, those between, and the one behind the last RAM.
    expect(ids(CMR + holed(14))).toEqual([]);
    expect(found(CMR + holed(15))[0]).toContain("the RAM at boot leaves 17 holes in TDMR [0x0, 0x40000000)");
  });
  it("whose CMRs alone have so many holes runs out of reserved areas too", () => {
    const cmrs = (count: number): string =>
      Array.from({ length: count }, (_, i) => {
        const start = ((1 + 2 * i) * MIB).toString(16);
        return `virt/tdx: CMR: [0x${start}, 0x${((2 + 2 * i) * MIB).toString(16)})\n`;
      }).join("");
    expect(ids(cmrs(15))).toEqual([]);
    expect(found(cmrs(16))[0]).toContain("the CMRs leave 17 holes in TDMR [0x0, 0x40000000)");
  });
  it("that says it initialised contradicts what its layout foretells, which is a note then", () => {
    const up = "virt/tdx: module initialized\n";
    expect(ids(CMR + holed(15) + up)[0]).toBe("note reserved-areas-exhausted");
    expect(found(CMR + RAM + e820(4 * GIB, 5 * GIB) + up)).toEqual([
      "note ram-outside-cmr: 0x100000000-0x13fffffff of the RAM (1G) is in no CMR: but TDX initialised, so not all of the layout was read",
    ]);
  });
  it("on which TDX did not initialise refuses no memory", () => {
    const failed = "virt/tdx: module initialization failed (-28)\n";
    const text = found(CMR + RAM + srat(0, 0, 2 * GIB) + srat(0, 4 * GIB, 8 * GIB, " hotplug") + failed);
    expect(text.filter((line) => line.includes("tdx-host-refuses"))).toEqual([
      expect.stringMatching(
        /^note .*TDX did not initialise, so nothing is refused; if it did, onlining it gives -EPERM/,
      ),
    ]);
  });
  it("has memory blocks of the size that the log tells", () => {
    const block = "x86/mm: Memory block size: 2048MB\n";
    const text = found(CMR + RAM + block + srat(0, 0, 2 * GIB) + srat(0, 4 * GIB, 8 * GIB, " hotplug"))[0];
    expect(text).toContain("each of its memory blocks (2 of 2G), or");
  });
  it("has 64 TDMRs", () => {
    const apart = (count: number): string =>
      Array.from({ length: count }, (_, i) => e820(2 * i * GIB, (2 * i + 1) * GIB)).join("");
    const one = "virt/tdx: CMR: [0x0, 0x10000000000)\n";
    expect(ids(one + apart(64))).toEqual([]);
    expect(ids(one + apart(65))).toEqual(["error tdmrs-exhausted"]);
  });
  it("refuses to hot-add what was no RAM at boot, in so many blocks, and leaves devdax", () => {
    expect(found(CMR + RAM + srat(0, 0, 2 * GIB) + srat(0, 4 * GIB, 8 * GIB, " hotplug"))[0]).toBe(
      'warning tdx-host-refuses-hot-add: hot-pluggable 0x100000000-0x1ffffffff was no RAM at boot: onlining it gives -EPERM for each of its memory blocks (32 of 128M, fewer if they are larger), or, with the check at hot-add, -EINVAL once and "virt/tdx: Reject hot-adding memory range: 0x100000000-0x200000000 for TDX compatibility."; devdax stays possible',
    );
  });
  it("has no convertible ranges that contradict each other", () => {
    const cmr = (start: string, end: string): string => `virt/tdx: CMR: [${start}, ${end})\n`;
    expect(found(cmr("0x100000", "0x80000000") + cmr("0x70000000", "0x90000000"))).toContain(
      "error cmr-list-contradicts: convertible memory range: expected no overlap with [0x100000, 0x80000000) of 0:1, found [0x70000000, 0x90000000)",
    );
    expect(ids(cmr("0x100000", "0x80000000") + cmr("0x100000000", "0x200000000"))).not.toContain(
      "error cmr-list-contradicts",
    );
  });
  it("needs its RAM to be convertible", () => {
    expect(found(CMR + RAM + e820(4 * GIB, 5 * GIB))).toEqual([
      "error ram-outside-cmr: 0x100000000-0x13fffffff of the RAM (1G) is in no CMR: TDX does not initialise",
    ]);
  });
  it("of SNP gives no guest the RAM beside its RMP table", () => {
    const rmp = "SEV-SNP: RMP table physical range [0x0000000035500000 - 0x00000000357fffff]\n";
    expect(ids(rmp + e820(MIB, 0x3550_0000))).toEqual(["warning rmp-shares-2m"]);
    expect(ids(rmp + e820(MIB, 0x3540_0000))).toEqual([]);
  });
});

describe("a guest", () => {
  const ADDED = "100000000-2ffffffff : virtio0\n  100000000-15fffffff : System RAM (virtio_mem)\n";
  it("that hot-added memory it never accepted is about to die", () => {
    expect(found(GUEST, ADDED)).toEqual([
      "error hot-added-not-accepted: /proc/iomem shows 0x100000000-0x15fffffff (1.5G), and there is no unaccepted-memory table that would cover it: the guest takes it for accepted, and the first touch ends it",
    ]);
  });
  it("that is no TD need not accept", () => {
    expect(ids(RAM, ADDED)).toEqual(["warning iomem-lacks-boot-ram"]);
  });
});

describe("an unplug that stays stuck", () => {
  const QUERY =
    '{"return": [{"type": "dimm", "data": {"addr": 5368709120, "size": 268435456, "id": "d2", "slot": 3, "node": 1}}]}\n';
  const ost = (status: number): string =>
    `{"event": "ACPI_DEVICE_OST", "data": {"info": {"device": "d2", "source": 3, "status": ${status}, "slot": "3", "slot-type": "DIMM"}}}\n`;
  const BLOCKS =
    "block_size_bytes 0x8000000\nmemory40 phys_index=00000028 state=online zones=Normal\nmemory41 phys_index=00000029 state=online zones=Movable\n";
  it("names the status, the block and the zone", () => {
    expect(found(QUERY + ost(132) + ost(130), BLOCKS, "memory memory40: Offline failed.\n")).toEqual([
      "error unplug-stuck: the unplug of d2 at 0x140000000-0x14fffffff has failed and is not tried again by itself: the guest answered _OST status 130 (busy): the kernel could not offline memory40; 1 of its 2 online blocks are in zone Normal, where the kernel's own pages cannot move; online_movable keeps them out",
    ]);
  });
  it("that went well is none", () => {
    expect(ids(`${QUERY}${ost(0)}{"event": "DEVICE_DELETED", "data": {"device": "d2"}}\n`)).toEqual([]);
  });
  it("that ended in DEVICE_DELETED is none, though nobody asked for the devices", () => {
    const gone = '{"event": "DEVICE_DELETED", "data": {"device": "d2"}}\n';
    expect(ids(ost(132) + gone)).toEqual([]);
    expect(ids(gone + ost(132))).toEqual(["error unplug-stuck"]);
  });
  it("in the kernel's words is no failure to add", () => {
    expect(ids("acpi PNP0C80:01: Eject incomplete - status 0xf\n")).toEqual(["warning unplug-stuck"]);
  });
  it("of a virtio-mem device that gave back too little", () => {
    const device =
      '{"return": [{"type": "virtio-mem", "data": {"memaddr": 4294967296, "size": 1073741824, "max-size": 2147483648, "requested-size": 134217728, "id": "vm0"}}]}\n';
    expect(found(device)).toEqual([
      "warning unplug-stuck: vm0 still has 1G plugged of 128M requested: nothing that was read says why",
    ]);
  });
});

describe("numbers that do not go together", () => {
  it("an SLIT that the kernel rejects, a total of lsmem, nodes that are no domains", () => {
    expect(ids(srat(6, GIB, 2 * GIB, "", 2))).toEqual(["note node-is-not-domain"]);
    const lsmem =
      "RANGE SIZE STATE\n0x0000000000000000-0x000000007fffffff 2G online\n\nTotal online memory: 3G\n";
    expect(ids(lsmem)).toEqual(["warning lsmem-total-differs"]);
    expect(ids(lsmem.replace("3G", "2G"))).toEqual([]);
  });
  it("a VMM's total, unless devices changed after it was asked for", () => {
    const device = (size: number): string =>
      `{"return": [{"type": "virtio-mem", "data": {"memaddr": 4294967296, "size": ${size}, "max-size": 2147483648, "id": "vm0"}}]}\n`;
    const summary = '{"return": {"base-memory": 1073741824, "plugged-memory": 0}}\n';
    const grown = '{"event": "MEMORY_DEVICE_SIZE_CHANGE", "data": {"id": "vm0", "size": 268435456}}\n';
    expect(ids(device(2 ** 28) + summary)).toEqual(["warning vmm-total-differs"]);
    expect(ids(device(0) + summary + grown)).toEqual([]);
    expect(ids(summary + device(2 ** 28))).toEqual([]);
  });
  it("a log with the boot of a crash kernel shows the machine's own map", () => {
    const crash = "Linux version 6.1.0 (a) b\nCommand line: elfcorehdr=900536K\n";
    const text = `Linux version 6.1.0 (a) b\nCommand line: ro\n${RAM}${crash}${e820(MIB, GIB)}`;
    expect(found(text)).toEqual([
      "note several-boots: 2 boots were read, 1 of a crash kernel; the map is that of boot 1 of 0",
    ]);
  });
});
