import * as z from "zod";
import { KEXEC_IMAGES, KEXEC_SYSCALLS, ONLINE_KINDS } from "../scenario.ts";
import { blocks, timeSpan } from "./comparison-schema.ts";
import { expectSchema } from "./expect-schema.ts";
import { kernel, revert } from "./guest-schema.ts";
import { hostStep } from "./host-schema.ts";
import { expecting, expectingName, refuse } from "./refusal.ts";
import { address, flag, id, oneOf, PAGE, size, text, UNIT, whole } from "./scalar-schema.ts";

const vcpu = whole("Which vCPU does it", 0, 511).default(0);
const optionalNode = whole("NUMA node", 0, 63).nullable().default(null);

const targetAndSize = {
  gpa: address("Guest-physical address").optional(),
  name: id("What an `allocate` step called it").optional(),
};

const touch = z
  .strictObject({
    ...targetAndSize,
    size: size("Bytes; all of a named allocation, or one page, if absent", { least: 1 })
      .nullable()
      .default(null),
    kind: oneOf("", ["read", "write"]).default("write"),
    vcpu,
  })
  .transform(({ gpa, name, ...rest }, context) => {
    if ((gpa === undefined) === (name === undefined)) {
      refuse(context, { gpa, name }, "exactly one of `gpa` and `name`");
      return z.NEVER;
    }
    const target =
      gpa !== undefined ? { kind: "gpa" as const, gpa } : { kind: "name" as const, name: name ?? "" };
    return { ...rest, target };
  });

const kind = oneOf("Zone to online to", ONLINE_KINDS).default("online");

/** A step without any values. */
const bare = (name: string) =>
  z.union([z.null(), z.strictObject({})], { error: expecting(`nothing behind \`${name}\``) });

/** What is other about the kernel that a kexec starts; `kexec` alone starts the same one. */
const kexec = z.union(
  [
    z.null(),
    z.strictObject({
      kernel: kernel.nullable().default(null),
      revert: revert.nullable().default(null),
      design: text("Design of the next kernel; that of the first if absent", 64).nullable().default(null),
      image: oneOf("A vmlinux has no decompressor", KEXEC_IMAGES).default("bzImage"),
      syscall: oneOf("kexec-tools use kexec_load, which makes DIMMs boot RAM", KEXEC_SYSCALLS).default(
        "kexec_file_load",
      ),
    }),
  ],
  { error: expecting("nothing, or what is other about the next kernel") },
);

/** Steps that a world performs, by their key. */
const actions = {
  boot: bare("boot"),
  reset: bare("reset"),
  kexec,
  crash: bare("crash"),
  plug: z.strictObject({
    dimm: id("Name of the DIMM"),
    size: size("Size of the DIMM", { multipleOf: UNIT, least: UNIT }),
    slot: whole("Slot; the lowest free one if absent", 0, 255).nullable().default(null),
    node: whole("NUMA node", 0, 63).default(0),
    addr: address("Address; the first fit if absent", UNIT).nullable().default(null),
  }),
  unplug: z.strictObject({ dimm: id("Name of the DIMM") }),
  resize: z.strictObject({ device: id("Name of the virtio-mem device"), to: size("New requested size") }),
  allocate: z.strictObject({
    name: id("Name for `touch` and `free`"),
    size: size("Bytes", { multipleOf: PAGE, least: PAGE }),
    order: whole("Order of each allocation", 0, 10).nullable().default(null),
    movable: flag("Movable pages, as user memory is").default(true),
    trylock: flag("In a context that may take no lock, as BPF programs allocate").default(false),
    interrupt: flag(
      "By handlers of interrupts, each page in one of its own; the pages are not touched",
    ).default(false),
    node: optionalNode,
    vcpu,
  }),
  share: z.strictObject({ name: id("What `allocate` called it"), vcpu }),
  unshare: z.strictObject({ name: id("What `allocate` called it"), vcpu }),
  free: z.strictObject({ name: id("What `allocate` called it"), vcpu }),
  touch,
  read: z.strictObject({
    across: address("A page boundary: the word begins before it and ends behind it", PAGE),
    vcpu,
  }),
  remap: z.strictObject({
    at: address("First address", UNIT),
    size: size("Bytes", { multipleOf: UNIT, least: UNIT }),
  }),
  pressure: z.strictObject({ leave: size("MemFree to leave"), vcpu }),
  online: z.strictObject({ block: blocks, kind }),
  offline: z.strictObject({ block: blocks }),
  host: hostStep,
};

const optional = <T extends Record<string, z.ZodType>>(shape: T): { [K in keyof T]: z.ZodOptional<T[K]> } =>
  Object.fromEntries(Object.entries(shape).map(([key, schema]) => [key, schema.optional()])) as {
    [K in keyof T]: z.ZodOptional<T[K]>;
  };

const words = ["boot", "reset", "kexec", "crash"] as const;

const stepOf = <T extends Record<string, z.ZodType>>(shape: T) => {
  const names = Object.keys(shape);
  const expected = "a step: one key that says what to do";
  const map = z
    .strictObject(optional(shape))
    .refine((step) => Object.values(step).filter((value) => value !== undefined).length === 1, {
      error: expecting("exactly one key in each step", "write one step per list entry"),
    })
    .meta({ minProperties: 1, maxProperties: 1 });
  return z
    .union([z.enum(words), map], { error: expectingName(expected, names) })
    .transform((step): { [K in keyof T]?: z.output<T[K]> } =>
      typeof step === "string" ? ({ [step]: null } as never) : (step as never),
    );
};

const action = stepOf(actions);

const waitMap = z.strictObject({
  for: z
    .union([z.literal("idle"), timeSpan("Virtual time to let pass"), expectSchema], {
      error: expecting("idle, a duration such as 50s, or what must hold"),
    })
    .default("idle")
    .meta({ description: "idle: nothing is left to do and no timer runs; a duration; or expectations" }),
  timeout: timeSpan("Longest virtual time to wait").default(600e9),
});

/** `wait: idle` and `wait: 50s` are short for the map. */
const wait = z
  .union([z.literal("idle"), z.number(), z.string(), waitMap], {
    error: expecting("idle, a duration such as 50s, or a map"),
  })
  .transform((value, context): z.output<typeof waitMap> => {
    if (typeof value === "object") return value;
    const parsed = waitMap.safeParse({ for: value });
    if (parsed.success) return parsed.data;
    refuse(context, value, "idle, a duration such as 50s, or a map", "use ns, us, ms, s, m or h");
    return z.NEVER;
  });

const steps = {
  ...actions,
  parallel: z.array(action).min(1).max(64).meta({ description: "Steps on different vCPUs at once" }),
  wait,
  expect: expectSchema,
  note: text("Text for the reader of the transcript"),
};

export const stepSchema = stepOf(steps).meta({ description: "One step" });
export type ActionDraft = z.output<typeof action>;
export type StepDraft = z.output<typeof stepSchema>;
