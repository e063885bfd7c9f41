import type { FactOf, Range } from "../facts.ts";
import { contains, intersection, overlaps, roundDown, roundUp, total } from "../map/ranges.ts";
import { stubTables, X86_UNIT } from "../map/stub-table.ts";
import { isUnaccepted, type Survey } from "../map/survey.ts";
import { addressText, rangesText, rangeText, sizeText } from "../map/words.ts";
import type { FindingRule, Found } from "./finding.ts";

/** Hot-pluggable entries once each, however many sources tell of them. */
export const hotplugRanges = ({ of }: Survey): FactOf<"srat-memory">[] => {
  const seen = new Set<string>();
  return of("srat-memory").filter((fact) => {
    const text = rangeText(fact);
    const fresh = fact.enabled && fact.hotplug && fact.end > fact.start && !seen.has(text);
    seen.add(text);
    return fresh;
  });
};

export const STUB_TABLE: FindingRule = {
  id: "stub-table",
  severity: "note",
  what: "the unaccepted-memory table that Linux' EFI stub makes of this firmware's tables",
  source:
    "Linux drivers/firmware/efi/libstub/unaccepted_memory.c (allocate_unaccepted_bitmap); version 2: RFCv2 2026-06",
  judge: (survey) => {
    const seen = [...survey.of("efi").filter(isUnaccepted), ...hotplugRanges(survey)];
    if (seen.length === 0) return [];
    return stubTables(survey).map(({ version, table }): Found => {
      const who =
        version === 1 ? "upstream's stub (table version 1)" : "the stub of RFC v2 (table version 2)";
      if (table === undefined)
        return { text: `${who} makes no table: no unaccepted memory is described`, at: [seen[0]!.at] };
      const bitmaps = version === 1 ? "a bitmap" : "two bitmaps";
      return {
        text: `${who} covers ${rangeText(table)} with ${bitmaps} of ${table.size} bytes: base ${addressText(table.start)}, unit ${sizeText(X86_UNIT)}, ${sizeText(table.bytes)} in all`,
        range: table,
        at: [seen[0]!.at],
      };
    });
  },
};

/** The window that a table found in memory covers; else that of the table which upstream's stub would make. */
const windowOf = (survey: Survey): (Range & { readonly what: string }) | undefined => {
  const real = survey.of("unaccepted-table").at(-1);
  if (real !== undefined) return { start: real.start, end: real.end, what: "the unaccepted-memory table" };
  const made = stubTables(survey)[0]?.table;
  return made === undefined
    ? undefined
    : { start: made.start, end: made.end, what: "the table that upstream's stub makes" };
};

export const HOTPLUG_OUTSIDE: FindingRule = {
  id: "hotplug-outside-window",
  severity: "warning",
  what: "hot-pluggable ranges that the unaccepted-memory table does not cover",
  source: "Linux drivers/firmware/efi/unaccepted_memory.c: memory outside the table counts as accepted",
  judge: (survey) => {
    const window = windowOf(survey);
    if (window === undefined) return [];
    return hotplugRanges(survey).flatMap((entry): Found[] => {
      const inside = intersection([entry], [window]);
      const all = contains(window, entry);
      if (all)
        return [
          {
            severity: "note",
            text: `hot-pluggable ${rangeText(entry)} lies inside the window of ${window.what}, ${rangeText(window)}`,
            range: entry,
            at: [entry.at],
          },
        ];
      const part = inside.length === 0 ? "lies outside" : `has only ${sizeText(total(inside))} inside`;
      return [
        {
          text: `hot-pluggable ${rangeText(entry)} ${part} the window of ${window.what}, ${rangeText(window)}: what is plugged there counts as accepted, and a guest that uses it unaccepted dies`,
          range: entry,
          at: [entry.at],
        },
      ];
    });
  },
};

export const HOTPLUG_SMALL: FindingRule = {
  id: "hotplug-below-unit",
  severity: "warning",
  what: "hot-pluggable ranges that hold no whole unit of the unaccepted-memory table",
  source: "RFCv2 2026-06, patch 3: start is rounded up and end down, and a negative count of bits is set",
  judge: (survey) =>
    hotplugRanges(survey).flatMap((entry): Found[] => {
      const start = roundUp(entry.start, X86_UNIT);
      const end = roundDown(entry.end, X86_UNIT);
      if (start < end) return [];
      const size = sizeText(entry.end - entry.start);
      return [
        {
          text: `hot-pluggable ${rangeText(entry)} (${size}) holds no whole unit of ${sizeText(X86_UNIT)}: the stub of RFC v2 sets stray bits for it`,
          range: entry,
          at: [entry.at],
        },
      ];
    }),
};

export const HOTPLUG_AND_RAM: FindingRule = {
  id: "hotplug-overlaps-ram",
  severity: "warning",
  what: "hot-pluggable ranges that overlap RAM present at boot",
  source:
    "RFCv2 2026-06, patch 3: every unit of such a range is marked unaccepted, also where boot RAM is accepted",
  judge: (survey) => {
    const { ram, ramSource } = survey;
    // What others tell of may have been hot-plugged.
    if (ramSource !== "e820" && ramSource !== "EFI memory map" && ramSource !== "node ranges") return [];
    return hotplugRanges(survey).flatMap((entry): Found[] => {
      const both = intersection([entry], ram);
      if (both.length === 0) return [];
      return [
        {
          text: `hot-pluggable ${rangeText(entry)} overlaps RAM of the ${ramSource} at ${rangesText(both)}, ${sizeText(total(both))}: a stub that takes its bitmap from the SRAT marks accepted RAM unaccepted`,
          range: both[0]!,
          at: [entry.at],
        },
      ];
    });
  },
};

export const HOTPLUG_OVERLAPS: FindingRule = {
  id: "hotplug-ranges-overlap",
  severity: "warning",
  what: "hot-pluggable ranges that overlap each other",
  source: "ACPI 6.5, 5.2.16.2: a range belongs to one proximity domain",
  judge: (survey) => {
    const ranges = hotplugRanges(survey).toSorted((a, b) => a.start - b.start);
    return ranges.flatMap((entry, i): Found[] => {
      const next = ranges[i + 1];
      if (next === undefined || !overlaps(entry, next)) return [];
      const both = intersection([entry], [next]);
      const text = `hot-pluggable ${rangeText(entry)} and ${rangeText(next)} overlap at ${rangesText(both)}`;
      return [{ text, range: both[0]!, at: [entry.at, next.at] }];
    });
  },
};

export const DEVICE_OUTSIDE_SRAT: FindingRule = {
  id: "device-outside-srat",
  severity: "warning",
  what: "memory devices outside every hot-pluggable range of the SRAT",
  source: "QEMU hw/i386/acpi-build.c (build_srat): one entry covers the whole device-memory window",
  judge: (survey) => {
    const ranges = hotplugRanges(survey);
    if (ranges.length === 0) return [];
    return survey.devices.flatMap(({ id, range, at }): Found[] => {
      if (ranges.some((entry) => contains(entry, range))) return [];
      const text = `${id} at ${rangeText(range)} does not lie inside a hot-pluggable range of the SRAT: ${rangesText(ranges)}`;
      return [{ text, range, at: [at, ranges[0]!.at] }];
    });
  },
};
