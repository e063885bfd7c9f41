import * as z from "zod";

const count = z.int().min(0);
const address = z.int().min(0).meta({ description: "Guest-physical byte address" });

const violation = z.strictObject({
  invariant: z.string().meta({ description: "Number of the broken invariant" }),
  start: address,
  end: address,
  why: z.string(),
  vcpu: count.optional(),
  rip: z.string().optional().meta({ description: "Virtual address of the next instruction, in hexadecimal" }),
  symbol: z.string().optional().meta({ description: "That place by function and offset" }),
  backtrace: z.array(z.string()).meta({ description: "Callers, innermost first" }),
  septState: z.string().meta({ description: "State of the secure EPT entry" }),
  plugged: z.boolean(),
});

/** The document that `boot --json` prints. */
export const bootSchema = z.strictObject({
  format: z.literal("tidemark-boot"),
  formatVersion: z.literal(1),
  tidemark: z.string().meta({ description: "Version" }),
  kernel: z.string().meta({ description: "Release of the kernel" }),
  setup: z.strictObject({
    memory: count,
    vcpus: count,
    design: z.string(),
    accept: z.string(),
    append: z.string().meta({ description: "What was added to the kernel's command line" }),
  }),
  verdict: z.enum(["held", "broken", "failed"]),
  ready: z.boolean().meta({ description: "Whether the guest came so far that its agent answers" }),
  end: z.enum(["ready", "gone", "quit", "unread"]).meta({ description: "Why it ended" }),
  fate: z.strictObject({ state: z.string(), why: z.string() }),
  violations: z.array(violation),
  tdcalls: z.record(z.string(), count),
  seamcalls: z.record(z.string(), count),
  exits: count,
  map: z
    .array(z.looseObject({ start: address, end: address }))
    .optional()
    .meta({ description: "With --map: the memory map as runs, each as in run-report.schema.json" }),
});

export type BootReport = z.infer<typeof bootSchema>;
