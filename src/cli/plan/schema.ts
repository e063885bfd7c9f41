import * as z from "zod";
import { LIMIT_SEVERITIES } from "../../plan/limits.ts";
import {
  PLAN_ACCEPTS,
  PLAN_DEVICES,
  PLAN_DISCARDS,
  PLAN_FIRMWARE,
  PLAN_PLATFORMS,
} from "../../plan/plan-request.ts";

const count = z.int().min(0);
const bytes = z.number().min(0).meta({ description: "Bytes" });
const ns = z.number().min(0).meta({ description: "Nanoseconds of virtual time" });
const range = z
  .strictObject({ start: bytes, end: bytes })
  .meta({ description: "Guest-physical bytes, the end not included" });

const request = z
  .strictObject({
    memory: bytes,
    hotplug: bytes,
    vcpus: count,
    nodes: count,
    platform: z.enum(PLAN_PLATFORMS),
    design: z.string(),
    accept: z.enum(PLAN_ACCEPTS).meta({ description: "Mode of the plug and unplug, and of the snippets" }),
    device: z.enum(PLAN_DEVICES),
    blockSize: bytes,
    dimms: count,
    discard: z.enum(PLAN_DISCARDS),
    unaccepted: z.enum(PLAN_FIRMWARE),
    extensionPages: count,
  })
  .meta({ description: "What was asked for" });

const table = z.strictObject({
  version: count,
  address: bytes.meta({ description: "Where the EFI stub leaves it" }),
  physBase: bytes.meta({ description: "Address of bit 0" }),
  unitSize: bytes,
  units: count.meta({ description: "Bits of one bitmap" }),
  bitmapBytes: bytes,
  tableBytes: bytes.meta({ description: "Header and all bitmaps" }),
  covers: range,
  coversWindow: z.boolean(),
});

const machine = z.strictObject({
  ram: z.array(range),
  window: range.nullable().meta({ description: "Where memory devices lie" }),
  maxmem: bytes,
  slots: count,
  table: table.nullable().meta({ description: "The unaccepted-memory table; null if there is none" }),
  blocks: z.strictObject({
    size: bytes.meta({ description: "Bytes of a memory block" }),
    boot: count,
    hotplug: count.meta({ description: "Memory blocks more when all is plugged" }),
  }),
  memmap: z.strictObject({ boot: bytes, hotplug: bytes }).meta({ description: "Struct pages" }),
});

const timing = z.strictObject({
  ns,
  lowNs: ns.meta({ description: "If every row of the cost model is as cheap as its sources leave open" }),
  highNs: ns.meta({ description: "If every row is as dear" }),
  status: z.string().meta({ description: "SUCCESS, or how it ended instead" }),
  detail: z.string(),
  from: z.array(bytes).meta({
    description: "Sizes of the two machines that the figure follows from; empty: measured on this machine",
  }),
  bill: z.array(
    z.strictObject({
      row: z.string(),
      what: z.string(),
      count: z.number().min(0),
      eachNs: ns,
      ns,
      sources: z.array(z.string()),
    }),
  ),
  waitNs: ns.meta({ description: "Time in which nothing was done, such as that of a retry" }),
  sideBySideNs: ns.meta({
    description: "What the bill exceeds the time by: guest and host at the same time",
  }),
});

const limit = z.strictObject({
  id: z.string(),
  severity: z.enum(LIMIT_SEVERITIES),
  what: z.string(),
  value: z.number().nullable(),
  limit: z.number().nullable(),
  text: z.string(),
  source: z.string(),
});

const tdHost = z.strictObject({
  pamt: bytes.meta({ description: "Metadata for all memory that the TD may have" }),
  pamtDynamic: bytes.meta({ description: "With dynamic PAMT, mapped in 2 MiB pages" }),
  pamtDynamicSmall: bytes.meta({ description: "With dynamic PAMT, mapped in 4 KiB pages" }),
  sept: bytes.meta({ description: "Secure-EPT tables, 2 MiB pages" }),
  septSmall: bytes.meta({ description: "Secure-EPT tables, 4 KiB pages" }),
  control: bytes.meta({ description: "TDR, TDCS and TDVPS" }),
  shared: bytes.meta({ description: "Bounce buffers" }),
});

const snpHost = z.strictObject({
  rmp: bytes.meta({ description: "RMP entries for all memory that the guest may have" }),
  nested: bytes.meta({ description: "Nested page tables, 2 MiB pages" }),
  nestedSmall: bytes.meta({ description: "Nested page tables, 4 KiB pages" }),
  control: bytes.meta({ description: "Context page and VMSAs" }),
  shared: bytes.meta({ description: "Bounce buffers" }),
});

const extensions = z.strictObject({
  pages: count,
  bytes,
  lists: count,
  blocksContiguous: count,
  blocksScattered: count,
});

/** The document that `plan --json` prints. */
export const planSchema = z.strictObject({
  format: z.literal("tidemark-plan"),
  formatVersion: z
    .literal([1, 2])
    .meta({ description: "2 for an SEV-SNP guest, whose host has other figures" }),
  tidemark: z.string().meta({ description: "Version" }),
  request,
  machine,
  boot: z.strictObject({
    lazy: timing,
    eager: timing,
    freeAfterBoot: bytes.meta({ description: "MemFree once it has booted" }),
  }),
  plug: timing.nullable().meta({ description: "All devices, one after the other; null without hotplug" }),
  unplug: timing.nullable(),
  host: z.union([tdHost, snpHost]),
  extensions: extensions.nullable().meta({ description: "null where no TDX module is" }),
  limits: z.array(limit),
  snippets: z.strictObject({ qemu: z.string(), libvirt: z.string(), kubevirt: z.string() }),
  scenario: z.string().meta({ description: "The scenario of the machine, which `run` plays" }),
});

export const planJsonSchema = (): unknown =>
  z.toJSONSchema(planSchema, { target: "draft-2020-12", io: "output" });
