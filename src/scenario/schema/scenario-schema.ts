import * as z from "zod";
import { PLATFORMS } from "../scenario.ts";
import { expectSchema } from "./expect-schema.ts";
import { faultsSchema } from "./fault-schema.ts";
import { guestSchema, vmmSchema } from "./guest-schema.ts";
import { machineSchema } from "./machine-schema.ts";
import { expecting, expectingName } from "./refusal.ts";
import { invariant, text, whole } from "./scalar-schema.ts";
import { stepSchema } from "./step-schema.ts";

// A schema is used once in a run: making a function of it takes longer than that one use.
z.config({ jitless: true });

/** The scenario file. What depends on more than one field is checked afterwards. */
export const scenarioSchema = z
  .strictObject({
    name: text("Short name, as in a file name", 100).min(1),
    title: text("One line that says what the scenario shows", 200).default(""),
    about: text("What happens and why, for a reader who does not know").default(""),
    machine: machineSchema,
    guest: guestSchema.prefault({}),
    vmm: vmmSchema.prefault({}),
    platform: z
      .enum(PLATFORMS, { error: expectingName(`one of ${PLATFORMS.join(", ")}`, PLATFORMS) })
      .default("tdx")
      .meta({ description: "Confidential platform" }),
    seed: whole("Decides what real machines leave open", 0, Number.MAX_SAFE_INTEGER).default(1),
    faults: faultsSchema.prefault([]),
    steps: z.array(stepSchema).min(1).max(10_000).meta({ description: "What the operator and the guest do" }),
    expect: z
      .union([z.literal("none"), expectSchema], { error: expecting("a map of what must hold, or none") })
      .default("none")
      .meta({ description: "What must hold after the last step" }),
    invariants: z
      .strictObject({ broken: z.array(invariant).default([]).meta({ description: "By number" }) })
      .prefault({})
      .meta({ description: "Invariants that must break: a known bug shown on purpose" }),
  })
  .meta({ title: "Tidemark scenario", description: "A machine, what happens on it, and what must hold" });

export type ScenarioDraft = z.output<typeof scenarioSchema>;

/** JSON Schema (draft 2020-12) of the file, for editors. */
export const scenarioJsonSchema = (): object => z.toJSONSchema(scenarioSchema, { io: "input" });
