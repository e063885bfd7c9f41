import * as z from "zod";
import { RMP_STATES } from "../machine/rmp-states.ts";
import { FATES, SEPT_STATES, USES } from "./expectation.ts";
import type { RunReport } from "./report.ts";

/**
 * The schema of `run --json`, published as JSON Schema. Nothing loads it at run time: it is a promise that a
 * test keeps. `type` says what must stay in step with the types of report.ts and world.ts.
 */
const count = z.int().min(0);
const bytes = z.int().min(0);
const ns = z.number().min(0);
const stepNumber = count.meta({ description: "Number of a machine step, from 1; 0 before the first" });
const line = count.meta({ description: "Line of the scenario file; 0 if none" });
const byName = z.record(z.string(), z.number());

const range = z
  .strictObject({ start: bytes, end: bytes })
  .meta({ description: "Guest-physical bytes, half open" });

const violation = z.strictObject({
  invariant: z.string().regex(/^I\d+$/),
  step: stepNumber,
  range: range.nullable(),
  why: z.string(),
  line,
  expected: z.boolean().meta({ description: "The scenario declares that this invariant breaks" }),
});

const judgement = z.strictObject({
  line,
  column: count,
  what: z.string(),
  held: z.boolean(),
  expected: z.string(),
  found: z.string(),
  implicit: z.boolean().meta({ description: "Nobody wrote it: each step succeeds" }),
  unasked: z
    .string()
    .optional()
    .meta({ description: "What of it was not asked, because this world cannot tell; left out: all was" }),
});

const fault = z.strictObject({
  call: z.string(),
  at: z.int().min(1).nullable().meta({ description: "First call of that name to be struck; null if drawn" }),
  times: z.int().min(1).nullable(),
  answer: z.string().meta({ description: "What struck calls answered; late if they only were" }),
  lateNs: ns,
  optional: z.boolean(),
  line,
  column: count,
  seen: count.meta({ description: "Calls that counted for it" }),
  struck: count,
  firstStep: stepNumber,
  lastStep: stepNumber,
});

const played = z.strictObject({
  line,
  kind: z.string(),
  what: z.string(),
  status: z.string().meta({ description: "SUCCESS, a refusal by name, or SKIPPED" }),
  detail: z.string(),
  startNs: ns,
  endNs: ns,
  firstStep: stepNumber,
  lastStep: stepNumber,
});

const row = z.strictObject({
  step: stepNumber,
  ns,
  endNs: ns,
  actor: z.string(),
  vcpu: count.nullable(),
  what: z.string(),
  start: bytes.nullable(),
  end: bytes.nullable(),
  status: z.string(),
  stateAfter: z.string().nullable(),
  count: z.int().min(1),
  line,
});

const pattern = z
  .strictObject({
    times: z.int().min(2),
    get items(): z.ZodArray<z.ZodUnion<[typeof row, typeof pattern]>> {
      return z.array(z.union([row, pattern]));
    },
  })
  .meta({
    description: "Items that came several times in a row; the range of a row is the hull of all turns",
  });

const items = z.array(z.union([row, pattern]));

const section = z
  .strictObject({
    line,
    played: z.int().min(-1).meta({ description: "Position of its step in `played`; -1 before the first" }),
    head: items,
    leftOut: z.strictObject({ rows: count, steps: count }),
    tail: items,
  })
  .meta({ description: "What happened during one step of the scenario; runs and patterns are folded" });

const bit = z.union([z.literal(0), z.literal(1)]).nullable();

const picture = z.strictObject({
  label: z.string(),
  ns,
  runs: z.array(
    z.strictObject({
      start: bytes,
      end: bytes,
      owner: z.string().meta({ description: "RAM, a device or DIMM by its id, or window" }),
      plugged: z.boolean(),
      accepted: z.boolean(),
      sept: z.enum(SEPT_STATES).optional().meta({ description: "On TDX: state of the secure-EPT entries" }),
      rmp: z
        .enum(Object.values(RMP_STATES))
        .optional()
        .meta({ description: "On SEV-SNP: state by RMP and nested page tables" }),
      unacceptedBit: bit,
      pluggedBit: bit,
      online: z.boolean(),
      use: z.enum(USES),
    }),
  ),
  leftOut: count,
});

const bitRuns = z
  .array(z.strictObject({ first: count, count: z.int().min(1) }))
  .meta({ description: "Runs of set bits, ascending" });

const bitmaps = z.strictObject({
  version: count,
  physBase: bytes,
  unitSize: bytes,
  sizeBytes: bytes.meta({ description: "Bytes of one bitmap" }),
  tableBytes: bytes,
  unaccepted: bitRuns,
  plugged: bitRuns.nullable(),
});

const device = z.strictObject({
  id: z.string(),
  kind: z.enum(["virtio-mem", "dimm"]),
  start: bytes,
  size: bytes,
  plugged: bytes,
  requested: bytes,
  blockStates: z.record(z.string(), z.string()),
});

const setup = z.strictObject({
  platform: z.string(),
  memory: bytes,
  maxmem: bytes,
  slots: count,
  vcpus: count,
  nodes: count,
  kernel: z.string(),
  revert: z.array(z.string()).meta({ description: "Fixes that the kernel was made to lack" }),
  accept: z.string(),
  autoOnline: z.string(),
  memmapOnMemory: z.boolean(),
  vmm: z.strictObject({
    augSize: bytes,
    aug: z.enum(["fault", "ahead"]),
    discard: z.enum(["none", "shared-only", "both", "set-aside"]),
    pageRelease: z.boolean(),
    start: z.enum(["private", "shared"]),
    unpluggedAccess: z.enum(["allocate", "kill", "spin"]),
    sharedMiss: z.enum(["exit", "ve"]),
    moduleBusy: z.enum(["again", "bug"]),
    implicitConversion: z.boolean(),
    pscEntries: count.nullable(),
  }),
});

/** Of every document that a command prints. */
export const FORMAT_VERSION_POLICY =
  "Grows when a key goes away or changes its meaning; a key may be added without, so ignore those you do not know";

export const reportSchema = z
  .strictObject({
    format: z.literal("tidemark-run"),
    formatVersion: z.union([z.literal(1), z.literal(2)]).meta({
      description: `1: of a TD; 2: of an SEV-SNP guest, with \`rmp\`, \`guestCalls\` and \`hostCalls\`. ${FORMAT_VERSION_POLICY}`,
    }),
    tidemark: z.string().meta({ description: "Version of Tidemark" }),
    scenario: z.strictObject({ file: z.string(), name: z.string(), title: z.string(), about: z.string() }),
    setup,
    world: z.string(),
    design: z.string(),
    seed: count,
    verdict: z.enum(["held", "broken", "failed"]).meta({
      description: "broken: an undeclared invariant broke; failed: an expectation was not met",
    }),
    fate: z.strictObject({ state: z.enum(FATES), why: z.string() }),
    violations: z.array(violation),
    violationsLeftOut: count,
    expectations: z.array(judgement),
    faults: z.array(fault).meta({ description: "Faults that were asked for, then those that the seed drew" }),
    played: z.array(played).meta({ description: "The steps of the scenario" }),
    transcript: z.array(section),
    map: z.strictObject({ before: picture, after: picture }),
    counters: byName.meta({
      description: "At the end, by the kernel's names and in its units (kB in meminfo)",
    }),
    countersBefore: byName,
    curves: z.strictObject({
      ns: z.array(ns),
      step: z.array(stepNumber),
      counters: z.record(z.string(), z.array(z.number())),
    }),
    dmesg: z.array(z.string()),
    iomem: z.array(z.string()),
    memoryBlocks: z.strictObject({
      size: bytes,
      blocks: z.array(z.strictObject({ number: count, state: z.string(), zones: z.string() })),
    }),
    devices: z.array(device),
    bitmaps: bitmaps.nullable(),
    cost: z.strictObject({
      tdcalls: byName.optional().meta({ description: "On TDX: calls by leaf" }),
      seamcalls: byName.optional().meta({ description: "On TDX: the VMM's calls by leaf" }),
      guestCalls: byName.optional().meta({
        description: "On SEV-SNP: the guest's PVALIDATEs and VMGEXITs",
      }),
      hostCalls: byName.optional().meta({ description: "On SEV-SNP: the VMM's RMPUPDATEs and PSMASHes" }),
      exits: count,
      virtualNs: ns,
    }),
    waits: z
      .strictObject({
        irqsOffNs: ns.meta({ description: "Longest stretch of a vCPU with interrupts off" }),
        spinNs: ns.meta({ description: "Longest time that a vCPU spun for what another had" }),
      })
      .nullable()
      .meta({ description: "null in a world that cannot tell" }),
  })
  .meta({ title: "Tidemark run report", description: "What `tidemark run --json` prints" });

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;

type RunDocument = z.output<typeof reportSchema>;
/** What has other names on another platform. */
type OfPlatform = "formatVersion" | "map" | "cost";

/** Compiles only while the schema and the type describe the same document. */
export const SAME_AS_TYPE: Same<Omit<RunDocument, OfPlatform>, Mutable<Omit<RunReport, OfPlatform>>> = true;

/** JSON Schema (draft 2020-12) of the document. */
export const reportJsonSchema = (): object => z.toJSONSchema(reportSchema, { io: "output" });
