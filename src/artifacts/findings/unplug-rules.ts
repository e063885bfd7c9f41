import type { FactOf, HotplugEvent } from "../facts.ts";
import { overlaps } from "../map/ranges.ts";
import type { Survey, SurveyedBlock } from "../map/survey.ts";
import { listText, rangeText, sizeText } from "../map/words.ts";
import type { FindingRule, Found } from "./finding.ts";

/** Events of the firmware that a guest's _OST answers. */
const OST_EJECT = [3, 0x103];
/** Statuses of an eject, in the words of ACPI. @source ACPI 6.5, 6.3.5 */
const EJECT_STATUS: { readonly [status: number]: string } = {
  1: "non-specific failure",
  2: "unrecognised notification",
  128: "not supported",
  129: "in use by an application",
  130: "busy",
  131: "depends on something else",
  132: "in progress",
};
const SUCCESS = 0;
const IN_PROGRESS = 132;

/** Zones whose pages the kernel may hold for itself, so that a block of theirs may never be emptied. */
const KERNEL_ZONES = /\b(?:DMA|DMA32|Normal)\b/;

const blocksOf = ({ blocks }: Survey, range: { start: number; end: number }): SurveyedBlock[] =>
  blocks.filter((block) => block.state === "online" && overlaps(block, range));

/** Why memory stays: its blocks are in a kernel zone, or nothing that was read says. */
const reasonOf = (survey: Survey, range: { start: number; end: number }): string => {
  const held = blocksOf(survey, range);
  const kernel = held.filter(({ zones }) => zones !== undefined && KERNEL_ZONES.test(zones));
  const failed = new Set(survey.of("offline-failed").map(({ block }) => block));
  const refused = held.filter(({ block }) => failed.has(block)).map(({ block }) => `memory${block}`);
  const parts: string[] = [];
  if (refused.length > 0) parts.push(`the kernel could not offline ${listText(refused)}`);
  if (kernel.length > 0) {
    const zones = [...new Set(kernel.map(({ zones: zone }) => zone))].join(", ");
    parts.push(
      `${kernel.length} of its ${held.length} online blocks are in zone ${zones}, where the kernel's own pages cannot move; online_movable keeps them out`,
    );
  }
  return parts.length === 0 ? "nothing that was read says why" : parts.join("; ");
};

/** The last eject status of each DIMM. */
const lastEjects = ({ of }: Survey): FactOf<"device-ost">[] => {
  const last = new Map<string, FactOf<"device-ost">>();
  for (const fact of of("device-ost")) if (fact.id !== "") last.set(fact.id, fact);
  for (const { id, at } of of("device-deleted")) {
    const before = last.get(id)?.at;
    if (before !== undefined && before.source === at.source && (before.line ?? 0) < (at.line ?? 0))
      last.delete(id);
  }
  return [...last.values()].filter(({ source }) => OST_EJECT.includes(source));
};

const stuckDimms = (survey: Survey): Found[] =>
  lastEjects(survey).flatMap(({ id, status, at }): Found[] => {
    const device = survey.devices.find((known) => known.id === id);
    if (status === SUCCESS || (device === undefined && survey.devices.length > 0)) return [];
    const said = EJECT_STATUS[status] ?? "unknown";
    const verb = status === IN_PROGRESS ? "has not finished" : "has failed and is not tried again by itself";
    const where = device === undefined ? "" : ` at ${rangeText(device.range)}`;
    const why = device === undefined ? "" : `: ${reasonOf(survey, device.range)}`;
    return [
      {
        text: `the unplug of ${id}${where} ${verb}: the guest answered _OST status ${status} (${said})${why}`,
        ...(device === undefined ? {} : { range: device.range }),
        at: device === undefined ? [at] : [at, device.at],
      },
    ];
  });

const stuckShrinks = (survey: Survey): Found[] =>
  survey.devices.flatMap((device): Found[] => {
    const { id, type, size, requested, range, at } = device;
    // The driver prints what it has before it begins, never what came of it.
    const isDriver = survey.of("virtio-mem").some((fact) => fact.device === id);
    if (type !== "virtio-mem" || isDriver || requested === undefined || requested >= size) return [];
    return [
      {
        severity: "warning",
        text: `${id} still has ${sizeText(size)} plugged of ${sizeText(requested)} requested: ${reasonOf(survey, range)}`,
        range,
        at: [at],
      },
    ];
  });

/** What the kernel says when memory does not go. */
const REMOVALS: readonly HotplugEvent[] = ["remove-refused", "offline-failed", "eject-incomplete"];

const refusedRemovals = ({ of }: Survey): Found[] =>
  of("hotplug-event")
    .filter(({ what }) => REMOVALS.includes(what))
    .map(
      ({ said, range, at }): Found => ({
        severity: "warning",
        text: `the kernel says: ${said}`,
        ...(range === undefined ? {} : { range }),
        at: [at],
      }),
    );

export const UNPLUG_STUCK: FindingRule = {
  id: "unplug-stuck",
  severity: "error",
  what: "memory that an operator wants back and does not get",
  source:
    "Linux drivers/acpi/acpi_memhotplug.c, drivers/virtio/virtio_mem.c, mm/memory_hotplug.c (offline_pages)",
  judge: (survey) => {
    const known = [...stuckDimms(survey), ...stuckShrinks(survey), ...refusedRemovals(survey)];
    if (known.length > 0) return known;
    return survey.of("offline-failed").map(
      ({ block, at }): Found => ({
        severity: "warning",
        text: `memory block ${block} could not be offlined: what holds it back keeps its whole device from being unplugged`,
        at: [at],
      }),
    );
  },
};

export const ADD_FAILED: FindingRule = {
  id: "hot-add-failed",
  severity: "error",
  what: "memory that could not be added, or a driver that did not start",
  source: "Linux mm/memory_hotplug.c (add_memory_resource)",
  judge: ({ of }) =>
    of("hotplug-event")
      .filter(({ what }) => what !== "offlined" && what !== "not-accepted" && !REMOVALS.includes(what))
      .map(({ said, what, range, at }): Found => {
        const why =
          what === "memmap-failed"
            ? " (no memory for the struct pages of the range that was being added)"
            : "";
        return {
          text: `the kernel says: ${said}${why}`,
          ...(range === undefined ? {} : { range }),
          at: [at],
        };
      }),
};

export const REFUSED_REQUESTS: FindingRule = {
  id: "vmm-refused",
  severity: "note",
  what: "commands that the VMM refused",
  source: "QEMU: a refused command changes nothing",
  judge: ({ of }) =>
    of("qmp-error").map(({ command, said, at }): Found => {
      const who = command === "" ? "a command" : command;
      return { text: `the VMM refused ${who}: ${said}`, at: [at] };
    }),
};

export const BLOCK_ALIGNMENT: FindingRule = {
  id: "device-not-block-aligned",
  severity: "warning",
  what: "memory devices that do not start and end at memory blocks",
  source: "Linux mm/memory_hotplug.c (check_hotplug_memory_range): -EINVAL; virtio_mem skips the part blocks",
  judge: ({ devices, blockBytes }) => {
    if (blockBytes === undefined || blockBytes === 0) return [];
    return devices.flatMap(({ id, type, range, at }): Found[] => {
      if (range.start % blockBytes === 0 && range.end % blockBytes === 0) return [];
      const effect =
        type === "dimm" ? "the guest refuses it with -EINVAL" : "the part blocks at its ends stay unused";
      const text = `${id} at ${rangeText(range)} is not aligned to memory blocks of ${sizeText(blockBytes)}: ${effect}`;
      return [{ text, range, at: [at] }];
    });
  },
};
