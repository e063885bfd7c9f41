import * as z from "zod";
import type { DesignComparison } from "./design-comparison.ts";
import { FATES } from "./expectation.ts";
import { FORMAT_VERSION_POLICY } from "./report-schema.ts";

/** The schema of `compare --json`, published as JSON Schema; a test keeps it in step with the type. */
const count = z.int().min(0);
const bytes = z.int().min(0);
const ns = z.number().min(0);
const counts = z.record(z.string(), count);

const cost = z.strictObject({
  tdcalls: counts.optional().meta({ description: "On TDX: calls by leaf" }),
  guestCalls: counts.optional().meta({ description: "On SEV-SNP: PVALIDATEs and VMGEXITs" }),
  exits: counts.meta({ description: "Exits by what they were for" }),
  unpluggedAccepted: bytes.meta({ description: "Bytes accepted that the VMM had not plugged" }),
  acceptedForNothing: bytes.meta({ description: "Bytes accepted that went back and were never written" }),
  peakHostMemory: bytes.meta({ description: "Most host memory that the guest ever had" }),
  bootNs: ns.nullable(),
  plugNs: ns.nullable().meta({ description: "All steps that grow, with the waits for their end" }),
  unplugNs: ns.nullable(),
  virtualNs: ns,
  logLines: count,
  bitmapBytes: bytes.meta({ description: "The EFI unaccepted table, header and bitmaps" }),
});

const design = z.strictObject({
  design: z.string(),
  platform: z.string().meta({ description: "tdx or snp" }),
  verdict: z.enum(["held", "broken", "failed", "not modelled"]),
  why: z.string().meta({ description: "What was not modelled; empty otherwise" }),
  fate: z.strictObject({ state: z.enum(FATES), why: z.string() }),
  firstViolation: z
    .strictObject({ invariant: z.string().regex(/^I\d+$/), line: count, step: count, why: z.string() })
    .nullable(),
  violations: z.array(z.string()).meta({ description: "Every invariant that broke, each once" }),
  firstFailure: z.string().nullable().meta({ description: "First expectation that was not met" }),
  cost: cost.nullable(),
});

const parting = z.strictObject({
  design: z.string(),
  against: z.string(),
  line: count,
  step: count.nullable().meta({ description: "Machine step; null if the design does nothing more" }),
  againstStep: count.nullable(),
  does: z.string(),
  againstDoes: z.string(),
});

export const comparisonSchema = z
  .strictObject({
    format: z.literal("tidemark-compare"),
    formatVersion: z.union([z.literal(1), z.literal(2)]).meta({
      description: `1: of TDs; 2: of SEV-SNP guests too, with \`guestCalls\` and exits by VMGEXIT. ${FORMAT_VERSION_POLICY}`,
    }),
    tidemark: z.string().meta({ description: "Version of Tidemark" }),
    scenario: z.strictObject({ file: z.string(), name: z.string(), title: z.string() }),
    world: z.string(),
    seed: count,
    designs: z.array(design),
    partings: z.array(parting).meta({ description: "First step in which each design parts from another" }),
  })
  .meta({ title: "Tidemark comparison", description: "What `tidemark compare --json` prints" });

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;

/** What has other names on another platform. */
type OfPlatform = "formatVersion" | "designs";

/** Compiles only while the schema and the type describe the same document. */
export const SAME_AS_TYPE: Same<
  Omit<z.output<typeof comparisonSchema>, OfPlatform>,
  Mutable<Omit<DesignComparison, OfPlatform>>
> = true;

/** JSON Schema (draft 2020-12) of the document. */
export const comparisonJsonSchema = (): object => z.toJSONSchema(comparisonSchema, { io: "output" });
