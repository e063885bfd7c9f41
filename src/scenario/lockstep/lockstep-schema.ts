import * as z from "zod";
import { reportSchema } from "../report-schema.ts";
import type { LockstepReport } from "./lockstep-report.ts";

const count = z.int().min(0);

const difference = z.strictObject({
  step: count
    .nullable()
    .meta({ description: "Position among the scenario's steps, from 1; null: at the end" }),
  line: count.nullable(),
  what: z.string().meta({ description: "The step in the scenario's words" }),
  quantity: z.string(),
  about: z
    .string()
    .meta({ description: "A device, memory blocks, a range; empty if the quantity says it all" }),
  bound: count.meta({
    description: "Bytes by which the values may differ at most; 0: they have to be equal",
  }),
  model: z.string(),
  linux: z.string(),
});

/** The schema of `run --world both --json`, published as JSON Schema; a test keeps it in step with the type. */
export const lockstepSchema = z
  .strictObject({
    format: z.literal("tidemark-lockstep"),
    formatVersion: z.literal(1),
    tidemark: z.string().meta({ description: "Version of Tidemark" }),
    scenario: z.strictObject({ file: z.string(), name: z.string(), title: z.string() }),
    design: z.string(),
    seed: count,
    result: z.enum(["same", "different"]),
    compared: count.meta({ description: "Steps after which both machines ran, and were compared" }),
    differences: z.array(difference),
    worlds: z
      .strictObject({ model: reportSchema, linux: reportSchema })
      .meta({ description: "The run in each world, as in run-report.schema.json" }),
  })
  .meta({
    title: "Tidemark lockstep report",
    description: "What `tidemark run --world both --json` prints",
  });

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;

/** Compiles only while the schema and the type describe the same document. */
export const SAME_AS_TYPE: Same<
  Omit<z.output<typeof lockstepSchema>, "worlds">,
  Mutable<Omit<LockstepReport, "worlds">>
> = true;

/** JSON Schema (draft 2020-12) of the document. */
export const lockstepJsonSchema = (): object => z.toJSONSchema(lockstepSchema, { io: "output" });
