import type { FactOf, Range } from "../facts.ts";
import { difference, intersection, total, union } from "../map/ranges.ts";
import { isUnaccepted, type Survey } from "../map/survey.ts";
import { rangesText, rangeText, sizeText } from "../map/words.ts";
import type { FindingRule, Found } from "./finding.ts";

/** Whether the kernel whose state this is must accept memory. */
const isGuest = ({ roles, of }: Survey): boolean =>
  roles.has("TDX guest") ||
  roles.has("SNP guest") ||
  of("efi").some(isUnaccepted) ||
  of("unaccepted-table").length > 0;

const added = ({ of }: Survey): FactOf<"iomem">[] =>
  of("iomem").filter(({ name }) => /^System RAM \((?:virtio_mem|kmem)\)$/.test(name));

/** Memory that came after boot, by whoever tells of it. */
const hotAdded = (
  survey: Survey,
): { readonly ranges: Range[]; readonly how: string; readonly at: Found["at"] } => {
  const { devices, blocks, ram, ramSource } = survey;
  const driver = added(survey);
  if (driver.length > 0)
    return { ranges: union(driver), how: "/proc/iomem shows", at: driver.map(({ at }) => at).slice(0, 1) };
  const dimms = devices.filter(({ type, size }) => type === "dimm" && size > 0);
  const boot = ramSource === undefined || ramSource === "lsmem" ? undefined : union(ram);
  const online = blocks.filter(({ state }) => state === "online");
  const late = boot === undefined ? [] : online.filter((block) => intersection([block], boot).length === 0);
  if (late.length > 0) return { ranges: union(late), how: "memory blocks are online at", at: [late[0]!.at] };
  if (dimms.length > 0)
    return { ranges: dimms.map(({ range }) => range), how: "DIMMs are plugged at", at: [dimms[0]!.at] };
  const plugged = devices.filter(({ size }) => size > 0);
  const at = plugged.slice(0, 1).map((device) => device.at);
  // Which blocks of its region are plugged only the device knows; it starts from the bottom.
  const ranges = plugged.map(({ range, size }) => ({ start: range.start, end: range.start + size }));
  if (ranges.length > 0) return { ranges, how: "virtio-mem has plugged", at };
  return { ranges: [], how: "", at: [] };
};

export const ADDED_NOT_ACCEPTED: FindingRule = {
  id: "hot-added-not-accepted",
  severity: "error",
  what: "hot-added memory that a guest uses without having accepted it",
  source:
    "Linux mm/memory_hotplug.c: upstream accepts nothing on hot-add; RFC 2026-06, SEV-SNP hotplug RFC 2026-02",
  judge: (survey) => {
    if (!isGuest(survey)) return [];
    const { ranges, how, at } = hotAdded(survey);
    if (ranges.length === 0) return [];
    const table = survey.of("unaccepted-table").at(-1);
    const window = table === undefined ? survey.of("efi").filter(isUnaccepted) : [table];
    const outside = difference(ranges, window);
    if (outside.length === 0) {
      const still = table === undefined ? [] : intersection(ranges, table.unaccepted);
      if (still.length === 0 || table?.version === 1) return [];
      const text = `${how} ${rangesText(ranges)}; ${rangesText(still)} (${sizeText(total(still))}) is not accepted yet`;
      return [{ severity: "note", text, range: still[0]!, at }];
    }
    const why =
      window.length === 0
        ? "there is no unaccepted-memory table that would cover it"
        : `the unaccepted-memory table covers ${rangesText(window)} only`;
    return [
      {
        text: `${how} ${rangesText(outside)} (${sizeText(total(outside))}), and ${why}: the guest takes it for accepted, and the first touch ends it`,
        range: outside[0]!,
        at,
      },
    ];
  },
};

export const ACCEPT_FAILED: FindingRule = {
  id: "accept-failed",
  severity: "error",
  what: "a guest that could not accept memory",
  source: "Linux arch/x86/coco/tdx: a failed accept ends the guest",
  judge: ({ of }) =>
    of("hotplug-event")
      .filter(({ what }) => what === "not-accepted")
      .map(({ said, at }): Found => ({ text: `the guest stopped: ${said}`, at: [at] })),
};

export const TABLE_AND_EFI: FindingRule = {
  id: "unaccepted-table-differs-from-efi",
  severity: "warning",
  what: "unaccepted EFI memory outside the unaccepted-memory table",
  source: "Linux drivers/firmware/efi/libstub/unaccepted_memory.c: the table is sized from all of it",
  judge: ({ of }) => {
    const table = of("unaccepted-table").at(-1);
    const efi = of("efi").filter(isUnaccepted);
    if (table === undefined || efi.length === 0) return [];
    const outside = difference(efi, [table]);
    if (outside.length === 0) return [];
    const text = `the EFI memory map has unaccepted ${rangesText(outside)} outside the table's window ${rangeText(table)}: the kernel takes it for accepted`;
    return [{ text, range: outside[0]!, at: [table.at, efi[0]!.at] }];
  },
};

export const PLUGGED_AND_DEVICES: FindingRule = {
  id: "plugged-bitmap-differs-from-devices",
  severity: "warning",
  what: "a plugged bitmap that disagrees with the VMM's devices",
  source: "RFCv2 2026-06: a plugged bit says that the VMM has plugged the unit",
  judge: ({ of, devices }) => {
    const plugged = of("unaccepted-table").at(-1)?.plugged;
    const at = of("unaccepted-table").at(-1)?.at;
    if (plugged === undefined || at === undefined) return [];
    return devices.flatMap((device): Found[] => {
      const bytes = total(intersection([device.range], plugged));
      if (bytes === device.size) return [];
      const text = `${device.id} has ${sizeText(device.size)} plugged, the table's plugged bitmap ${sizeText(bytes)} of ${rangeText(device.range)}`;
      return [{ text, range: device.range, at: [at, device.at] }];
    });
  },
};
