import { kept } from "../fact-sink.ts";
import {
  addressOf,
  type FactBody,
  type HotplugEvent,
  inclusiveRange,
  type Range,
  VIRTIO_MEM_FIELDS,
} from "../facts.ts";
import type { LineRule } from "../text/line-reader.ts";

const event = (what: HotplugEvent, said: string, range?: Range): FactBody[] => [
  { kind: "hotplug-event", what, said: kept(said.trim()), ...(range === undefined ? {} : { range }) },
];

const named =
  (what: HotplugEvent) =>
  ([said]: RegExpExecArray): FactBody[] =>
    event(what, said);

/** A range given by its first and its last byte, if it is one. */
const inclusiveEvent =
  (what: HotplugEvent) =>
  ([said, first, last]: RegExpExecArray): FactBody[] =>
    event(what, said, inclusiveRange(first!, last!));

const DRIVER_RULES: readonly LineRule[] = [
  {
    literal: "virtio_mem ",
    pattern: new RegExp(
      `virtio_mem (virtio\\d{1,6}): (${VIRTIO_MEM_FIELDS.join("|")}): (?:0x([0-9a-f]{1,16})|(\\d{1,6}))(?![\\w])`,
    ),
    read: ([, device, name, digits, decimal]): FactBody[] | string => {
      const field = VIRTIO_MEM_FIELDS.find((known) => known === name);
      const value = digits === undefined ? Number(decimal) : addressOf(digits);
      if (field === undefined || value === undefined) return "a number up to 2^52";
      return [{ kind: "virtio-mem", device: kept(device!), field, value }];
    },
  },
  {
    literal: "virtio_mem ",
    pattern: /virtio_mem virtio\d+: (?:could not reserve device region|adding memory failed: -?\d+)/,
    read: named("add-failed"),
  },
  {
    literal: "virtio_mem: ",
    pattern: /virtio_mem: probe of virtio\d+ failed with error -\d+/,
    read: named("probe-failed"),
  },
  {
    literal: "acpi PNP0C80",
    pattern: /acpi PNP0C80:\w+: (?:add_memory failed|Enumeration failure|enumeration failure).*/,
    read: named("add-failed"),
  },
  {
    literal: "Eject incomplete",
    pattern: /Eject incomplete - status 0x[0-9a-f]+/,
    read: named("eject-incomplete"),
  },
  {
    literal: "hot_add memory failed",
    pattern: /hv_balloon: hot_add memory failed error is -?\d+/,
    read: named("add-failed"),
  },
  {
    literal: "memory add failed",
    pattern: /\b(?:kmem|dax).*: mapping\d+: 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16}) memory add failed/,
    read: inclusiveEvent("add-failed"),
  },
];

/** What the kernel says while memory comes and goes. */
export const HOTPLUG_RULES: readonly LineRule[] = [
  ...DRIVER_RULES,
  {
    literal: "unaligned hotplug range",
    pattern:
      /Block size \[0x[0-9a-f]+\] unaligned hotplug range: start (?:0x)?([0-9a-f]{1,16}), size (?:0x)?([0-9a-f]{1,16})/,
    read: ([said, start, size]) => {
      const first = addressOf(start!);
      const bytes = addressOf(size!);
      if (first === undefined || bytes === undefined) return event("unaligned", said);
      return event("unaligned", said, { start: first, end: first + bytes });
    },
  },
  {
    literal: "exceeds maximum addressable range",
    pattern: /Hotplug memory \[0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\] exceeds maximum addressable range/,
    read: inclusiveEvent("beyond-addressable"),
  },
  {
    literal: "removing memory fails",
    pattern: /removing memory fails, because memory \[0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\] is onlined/,
    read: inclusiveEvent("remove-refused"),
  },
  {
    literal: "memory offlining ",
    pattern: /memory offlining \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\] failed due to .*/,
    read: inclusiveEvent("offline-failed"),
  },
  {
    literal: "Offline failed",
    pattern: /memory memory(\d{1,9}): Offline failed/,
    read: ([, block]) => [{ kind: "offline-failed", block: Number(block) }],
  },
  { literal: "Offlined Pages", pattern: /Offlined Pages \d+/, read: named("offlined") },
  {
    literal: "vmemmap alloc failure",
    pattern: /vmemmap alloc failure: order:\d+/,
    read: named("memmap-failed"),
  },
  {
    literal: "Failed to accept memory",
    pattern: /TDX: Failed to accept memory/,
    read: named("not-accepted"),
  },
];
