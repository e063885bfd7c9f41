import { byteSum } from "../../abi/acpi/table-header.ts";
import { fieldBytes } from "../acpi/iasl-listing.ts";
import type { FactOf, Range } from "../facts.ts";
import { difference, intersection, roundDown, roundUp, total, union } from "./ranges.ts";
import type { Survey } from "./survey.ts";

/** RAM of one node. */
export interface NodeRam extends Range {
  readonly node: number;
}

const UNIT = 2 ** 21;
const MIB = 2 ** 20;
const FOUR_GIB = 2 ** 32;

/** Entries of one source of the SRAT: a log and a table of one machine say the same. */
const oneSrat = ({ of }: Survey): readonly FactOf<"srat-memory">[] => {
  const all = of("srat-memory").filter(({ enabled, start, end }) => enabled && end > start);
  const table = all.find(({ node }) => node === undefined) ?? all[0];
  return all.filter(({ at }) => at.source === table?.at.source);
};

/** The kernel's node for each proximity domain: domains are counted as they are met, which is their order. */
export const nodeOfDomain = (survey: Survey): ReadonlyMap<number, number> => {
  const domains = [...new Set(oneSrat(survey).map(({ proximity }) => proximity))].sort((a, b) => a - b);
  return new Map(domains.map((domain, node) => [domain, node]));
};

/** The hole of a PC between 640 KiB and 1 MiB has RAM behind it that firmware uses. */
const withoutLowHole = (ranges: readonly Range[]): Range[] => {
  const low = ranges.some(({ end, start }) => start === 0 && end <= MIB);
  return union(low ? [...ranges, { start: 0, end: MIB }] : ranges);
};

/** Whole units: below 4 GiB a part of a unit is RAM that firmware keeps, above it is left out. */
const inUnits = ({ start, end }: Range): Range => ({
  start: roundDown(start, UNIT),
  end: end <= FOUR_GIB ? roundUp(end, UNIT) : roundDown(end, UNIT),
});

const fromSrat = (survey: Survey): NodeRam[] => {
  const nodes = nodeOfDomain(survey);
  const fixed = oneSrat(survey).filter(({ hotplug }) => !hotplug);
  const domains = [...new Set(fixed.map(({ proximity }) => proximity))];
  return domains.flatMap((domain) =>
    withoutLowHole(fixed.filter(({ proximity }) => proximity === domain))
      .map(inUnits)
      .map((range) => ({ ...range, node: nodes.get(domain)! })),
  );
};

/** RAM by a memory map: what firmware keeps for itself below the end of RAM was RAM too. */
const fromMap = ({ ram, of }: Survey): NodeRam[] => {
  const taken = of("e820").filter(
    ({ type }) => type === "ACPI data" || type === "ACPI NVS" || type === "reserved",
  );
  const low = intersection(ram, [{ start: 0, end: FOUR_GIB }]);
  const last = low.at(-1)?.end ?? 0;
  // A reserved stretch that touches RAM from above is the top of RAM; one that stands alone is a device's.
  let top = last;
  for (const { start, end } of taken.toSorted((a, b) => a.start - b.start))
    if (start <= top && end > top && end - start < 2 ** 28) top = end;
  const below = low.length === 0 ? [] : [{ start: 0, end: top }];
  const above = intersection(ram, [{ start: FOUR_GIB, end: Number.MAX_SAFE_INTEGER }]);
  return [...below, ...above]
    .map(inUnits)
    .filter(({ start, end }) => start < end)
    .map((range) => ({ ...range, node: 0 }));
};

/** RAM present at boot, ascending, in whole units of 2 MiB; empty if nothing tells it. */
export const bootRam = (survey: Survey): NodeRam[] => {
  const srat = fromSrat(survey);
  const ram = srat.length > 0 ? srat : survey.ramSource === "lsmem" ? [] : fromMap(survey);
  return ram.filter(({ start, end }) => start < end).sort((a, b) => a.start - b.start);
};

/** Where memory may be added: the SRAT's hot-pluggable ranges without the RAM at boot. */
export const hotplugWindow = (survey: Survey): Range[] =>
  difference(
    oneSrat(survey).filter(({ hotplug }) => hotplug),
    bootRam(survey),
  );

/** The bytes of the SRAT as they were read; undefined if only a log tells of it, or the table is damaged. */
export const sratBytes = ({ of }: Survey): Uint8Array | undefined => {
  const table = of("acpi-table").findLast(({ signature }) => signature === "SRAT");
  if (table === undefined || table.listing.diagnoses.length > 0) return undefined;
  const bytes = new Uint8Array(table.listing.header.length);
  for (const { offset, bytes: size, label, value } of table.listing.rows) {
    const field = size === 0 ? undefined : fieldBytes({ offset, size, label, value });
    if (field !== undefined) bytes.set(field, offset);
  }
  return byteSum(bytes) === 0 ? bytes : undefined;
};

/** Bytes of RAM at boot. */
export const bootBytes = (ram: readonly NodeRam[]): number => total(ram);
