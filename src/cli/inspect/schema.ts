import * as z from "zod";
import { SEVERITIES } from "../../artifacts/findings/finding.ts";

const bytes = z.int().min(0).meta({ description: "Physical byte address or bytes, up to 2^52" });
const range = { start: bytes, end: bytes };
const place = z
  .strictObject({
    source: z.string(),
    line: z.int().min(1).optional().meta({ description: "Line, from 1" }),
    offset: z.int().min(0).optional().meta({ description: "Byte offset, from 0" }),
  })
  .meta({ description: "Where it was read" });

const source = z.strictObject({
  name: z.string().meta({ description: "The file as it was named, or FILE:PATH for a file of an archive" }),
  kinds: z.array(z.string()).meta({ description: "What was read from it; empty if it is nothing known" }),
  bytes: z.int().min(0),
  not: z
    .array(z.strictObject({ kind: z.string(), why: z.string() }))
    .meta({ description: "The kinds that were tried, and why each did not fit" }),
});

const trouble = z.strictObject({
  severity: z.enum(["error", "warning"]),
  at: place,
  expected: z.string(),
  found: z.string(),
});

const finding = z.strictObject({
  id: z.string().meta({ description: "The rule, by its name in docs/inspect.md" }),
  severity: z.enum(SEVERITIES),
  what: z.string().meta({ description: "What the rule looks for" }),
  source: z.string().meta({ description: "Where the rule is from" }),
  text: z.string(),
  range: z.looseObject(range).optional(),
  at: z.array(place),
});

const device = z.strictObject({
  id: z.string(),
  type: z.string(),
  range: z.strictObject(range),
  size: bytes.meta({ description: "Bytes that are plugged" }),
  requested: bytes.optional(),
  blockSize: bytes.optional(),
  node: z.int().optional(),
  slot: z.int().optional(),
  at: place,
});

const boot = z.strictObject({
  source: z.string(),
  number: z.int().min(0),
  kernel: z.string().optional(),
  commandLine: z.string().optional(),
  isCrashKernel: z.boolean(),
});

/** The document that `inspect --json` prints. */
export const inspectSchema = z.strictObject({
  format: z.literal("tidemark-inspect"),
  formatVersion: z.literal(1),
  tidemark: z.string(),
  sources: z.array(source),
  troubles: z.array(trouble),
  leftOut: z.strictObject({ facts: z.int().min(0), troubles: z.int().min(0) }),
  machine: z.strictObject({
    kernel: z.string().nullable(),
    commandLine: z.string().nullable(),
    dmi: z.string().nullable(),
    roles: z.array(z.string()),
    boots: z.array(boot),
    ram: z.array(z.strictObject(range)).meta({ description: "RAM at boot" }),
    ramSource: z.string().nullable().meta({ description: "What says so" }),
    blockBytes: bytes.nullable().meta({ description: "Bytes of a memory block" }),
    devices: z.array(device),
  }),
  map: z.array(
    z.strictObject({
      name: z.string(),
      tells: z.enum(["ram", "aside", "promise", "state"]),
      ranges: z.array(z.strictObject(range)),
    }),
  ),
  findings: z.array(finding),
  facts: z
    .array(
      z.looseObject({
        kind: z.string().meta({ description: "Decides the other fields; see docs/inspect.md" }),
        at: place,
        boot: z.int().min(0).meta({ description: "Which boot of its log, from 1; 0 outside logs" }),
        time: z.number().optional().meta({ description: "The kernel's time, in seconds" }),
      }),
    )
    .meta({ description: "Everything that was read, one entry for each thing that one place says" }),
});

export const inspectJsonSchema = (): unknown =>
  z.toJSONSchema(inspectSchema, { target: "draft-2020-12", io: "output" });
