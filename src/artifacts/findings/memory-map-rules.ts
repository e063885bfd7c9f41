import type { FactOf, Range } from "../facts.ts";
import { difference, intersection, total, union } from "../map/ranges.ts";
import { isEfiRam, type Survey } from "../map/survey.ts";
import { rangesText, sizeText } from "../map/words.ts";
import type { FindingRule, Found } from "./finding.ts";

const MIB = 2 ** 20;
/** The kernel takes the first page for itself, and firmware and BIOS share the first MiB in ways of their own. */
const LOW = MIB;

const above = (ranges: readonly Range[], limit: number): Range[] =>
  ranges.flatMap(({ start, end }) => (end <= limit ? [] : [{ start: Math.max(start, limit), end }]));

const e820Ram = ({ of }: Survey): readonly FactOf<"e820">[] =>
  of("e820").filter(({ type }) => type === "RAM");

/** Whether a log shows the e820 from its first line on: it begins at address 0, and so do its pieces. */
const isWholeE820 = (e820: readonly FactOf<"e820">[]): boolean => e820.some(({ start }) => start < LOW);

/** Whether a log shows every descriptor up to the last that it shows. */
const isWholeEfi = (boot: readonly FactOf<"efi">[]): boolean =>
  new Set(boot.map(({ index }) => index)).size > Math.max(...boot.map(({ index }) => index));

/**
 * The e820 table comes from the EFI memory map, by the stub's table of types or by a boot loader's. Where they differ
 * the kernel believes the e820.
 */
export const E820_AND_EFI: FindingRule = {
  id: "e820-differs-from-efi",
  severity: "warning",
  what: "RAM that one of e820 and the EFI memory map has and the other has not",
  source: "Linux drivers/firmware/efi/libstub/x86-stub.c (setup_e820)",
  judge: (survey) => {
    const boot = survey.of("efi").filter(({ map }) => map === "boot");
    const e820 = e820Ram(survey);
    if (boot.length === 0 || e820.length === 0) return [];
    const efi = boot.filter(isEfiRam);
    const judged = [
      {
        ranges: isWholeEfi(boot) ? difference(above(e820, LOW), efi) : [],
        text: "the e820 calls RAM what the EFI memory map does not",
      },
      {
        ranges: isWholeE820(survey.of("e820")) ? difference(above(efi, LOW), e820) : [],
        text: "the EFI memory map calls RAM what the e820 does not",
      },
    ];
    return judged.flatMap(({ ranges, text }): Found[] => {
      if (ranges.length === 0) return [];
      const size = sizeText(total(ranges));
      return [
        {
          text: `${text}: ${rangesText(ranges)}, ${size}`,
          range: ranges[0]!,
          at: [e820[0]!.at, boot[0]!.at],
        },
      ];
    });
  },
};

/** The kernel drops the SRAT's nodes if they leave more RAM out than this. */
const MOST_UNCOVERED = MIB;

/**
 * Whether a log shows only some of the SRAT's entries: none of memory that is there at boot, or too few for the nodes that the kernel
 * made of them.
 */
const isExcerpt = ({ of }: Survey, srat: readonly FactOf<"srat-memory">[]): boolean => {
  if (srat.some(({ node }) => node === undefined)) return false;
  const nodes = new Set(of("node-range").map(({ node }) => node));
  return srat.every(({ hotplug }) => hotplug) || nodes.size > 1;
};

export const SRAT_COVERS_RAM: FindingRule = {
  id: "srat-does-not-cover-ram",
  severity: "warning",
  what: "boot RAM that no enabled SRAT entry covers",
  source:
    "Linux mm/numa_memblks.c (numa_meminfo_cover_memory): more than 1 MiB, and NUMA from the SRAT is off",
  judge: (survey) => {
    const srat = survey.of("srat-memory").filter(({ enabled }) => enabled);
    const e820 = e820Ram(survey);
    if (srat.length === 0 || e820.length === 0 || isExcerpt(survey, srat)) return [];
    const uncovered = difference(above(e820, LOW), srat);
    const bytes = total(uncovered);
    if (bytes === 0) return [];
    const verdict =
      bytes > MOST_UNCOVERED
        ? "more than 1 MiB, so the kernel gives up the SRAT's nodes"
        : "up to 1 MiB, which the kernel lets pass";
    return [
      {
        severity: bytes > MOST_UNCOVERED ? "warning" : "note",
        text: `no SRAT entry covers ${rangesText(uncovered)} of the RAM, ${sizeText(bytes)}: ${verdict}`,
        range: uncovered[0]!,
        at: [srat[0]!.at],
      },
    ];
  },
};

const overlapPairs = <R extends Range>(ranges: readonly R[]): (readonly [R, R])[] => {
  const ascending = ranges.toSorted((a, b) => a.start - b.start);
  const pairs: (readonly [R, R])[] = [];
  for (let i = 1; i < ascending.length; i++) {
    const [before, after] = [ascending[i - 1]!, ascending[i]!];
    if (after.start < before.end && before.end > before.start && after.end > after.start)
      pairs.push([before, after]);
  }
  return pairs;
};

export const SRAT_OVERLAPS: FindingRule = {
  id: "srat-entries-overlap",
  severity: "warning",
  what: "SRAT entries that overlap one another",
  source: "Linux drivers/acpi/numa/srat.c, mm/numa_memblks.c (numa_cleanup_meminfo)",
  judge: ({ of }) => {
    // A log and a table may both be here and say the same.
    const one = of("srat-memory").filter(
      ({ enabled, at }, _i, all) => enabled && at.source === all[0]!.at.source,
    );
    return overlapPairs(one).map(([a, b]): Found => {
      const both = intersection([a], [b]);
      const sameNode = a.proximity === b.proximity;
      return {
        severity: sameNode ? "note" : "warning",
        text: sameNode
          ? `proximity domain ${a.proximity} has ${rangesText(both)} twice`
          : `proximity domains ${a.proximity} and ${b.proximity} both have ${rangesText(both)}: Linux gives up the SRAT's nodes`,
        range: both[0]!,
        at: [a.at, b.at],
      };
    });
  },
};

/** Ranges of a log and of a table, as text, so that equal ones are equal. */
const key = ({ start, end, proximity, hotplug }: FactOf<"srat-memory">): string =>
  `${start}-${end} ${proximity} ${hotplug}`;

export const SRAT_SOURCES: FindingRule = {
  id: "srat-sources-differ",
  severity: "warning",
  what: "SRAT entries that differ between two sources",
  source: "the same machine has one SRAT; two sources that differ are of two boots or two machines",
  judge: ({ of }) => {
    const bySource = new Map<string, FactOf<"srat-memory">[]>();
    for (const fact of of("srat-memory")) {
      if (!fact.enabled || fact.end === fact.start) continue;
      const list = bySource.get(fact.at.source) ?? [];
      list.push(fact);
      bySource.set(fact.at.source, list);
    }
    const [first, ...others] = [...bySource.values()];
    if (first === undefined) return [];
    return others.flatMap((other): Found[] => {
      const one = new Set(first.map(key));
      const two = new Set(other.map(key));
      const odd = [...first.filter((f) => !two.has(key(f))), ...other.filter((f) => !one.has(key(f)))];
      if (odd.length === 0) return [];
      const text = `${first[0]!.at.source} and ${other[0]!.at.source} do not have the same SRAT: ${rangesText(odd)} is in one of them only`;
      return [{ text, range: odd[0]!, at: [first[0]!.at, other[0]!.at] }];
    });
  },
};

export const IOMEM_AND_E820: FindingRule = {
  id: "iomem-lacks-boot-ram",
  severity: "warning",
  what: "RAM of the e820 that /proc/iomem does not show as System RAM",
  source: "Linux arch/x86/kernel/e820.c (e820__reserve_resources)",
  judge: (survey) => {
    const ram = survey.of("iomem").filter(({ name }) => name.startsWith("System RAM"));
    const e820 = e820Ram(survey);
    if (ram.length === 0 || e820.length === 0) return [];
    const missing = difference(above(e820, LOW), ram);
    if (missing.length === 0) return [];
    const text = `/proc/iomem does not show ${rangesText(missing)} as System RAM, ${sizeText(total(missing))}, though the e820 does`;
    return [{ text, range: missing[0]!, at: [ram[0]!.at, e820[0]!.at] }];
  },
};

export const BLOCKS_AND_IOMEM: FindingRule = {
  id: "blocks-without-ram",
  severity: "warning",
  what: "online memory blocks in which /proc/iomem shows no System RAM",
  source: "Linux mm/memory_hotplug.c (register_memory_resource): a block is added with its resource",
  judge: ({ of, blocks }) => {
    const ram = union(of("iomem").filter(({ name }) => name.startsWith("System RAM")));
    const online = blocks.filter(({ state }) => state === "online");
    if (ram.length === 0 || online.length === 0) return [];
    const bare = online.filter((block) => intersection([block], ram).length === 0);
    if (bare.length === 0) return [];
    const ranges = union(bare);
    return [
      {
        text: `memory blocks are online at ${rangesText(ranges)}, where /proc/iomem shows no System RAM: the two were saved at different times`,
        range: ranges[0]!,
        at: [bare[0]!.at, of("iomem")[0]!.at],
      },
    ];
  },
};
