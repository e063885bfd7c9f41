import * as z from "zod";
import { timeSpan } from "./comparison-schema.ts";
import { expecting, refuse } from "./refusal.ts";
import { address, flag, size, text, UNIT, whole } from "./scalar-schema.ts";

/** A machine that is told to fail for ever would never stand still. */
const MOST_TIMES = 100_000;

const range = z
  .strictObject({
    at: address("First address"),
    size: size("Bytes; one 2 MiB unit if absent", { least: 1 }).default(UNIT),
  })
  .transform(({ at, size: bytes }) => ({ start: at, end: at + bytes }))
  .meta({ description: "Only calls about this memory count" });

const map = z
  .strictObject({
    call: text("Call that goes wrong, such as TDG.MEM.PAGE.ACCEPT, vm0 PLUG or alloc_pages", 100),
    at: whole("Which call of that name, from 1; the first if absent", 1, 2 ** 40).default(1),
    times: whole("How many calls in a row; 1 if absent", 1, MOST_TIMES).default(1),
    answer: z
      .union([z.string().max(100), z.number()], {
        error: expecting("a status, a response or an error by name"),
      })
      .transform(String)
      .nullable()
      .default(null)
      .meta({ description: "What it answers instead" }),
    late: timeSpan("Virtual time that the answer is late").default(0),
    after: whole(
      "Chunks of 4 KiB that an interrupted accept of 2 MiB still zeroes; pieces of 2 MiB that MapGPA still converts",
      1,
      511,
    )
      .nullable()
      .default(null),
    range: range.nullable().default(null),
    optional: flag("The scenario holds even if the fault never strikes").default(false),
  })
  .meta({ description: "Calls that go wrong" });

const SENTENCE =
  /^(?<call>.+?) at (?<at>\d{1,13})(?: \((?<times>\d{1,6}) times\))? (?:answers (?<answer>[^\s(]+(?:\([^()]+\))?)|is late by (?<late>\S+)|is interrupted after (?<after>\d{1,3}))$/;
const EXAMPLE = "TDG.MEM.PAGE.ACCEPT at 7 answers OPERAND_BUSY";

/** `CALL at N answers ANSWER`, `CALL at N is late by TIME`, `CALL at N is interrupted after CHUNKS`. */
const sentence = z
  .string()
  .max(300)
  .transform((said, context): z.output<typeof map> => {
    const {
      call = "",
      at = "",
      times = "1",
      answer,
      late = "0ns",
      after,
    } = SENTENCE.exec(said)?.groups ?? {};
    const parsed = map.safeParse({
      call,
      at: Number(at),
      times: Number(times),
      late,
      ...(answer === undefined ? {} : { answer }),
      ...(after === undefined ? {} : { answer: "INTERRUPTED", after: Number(after) }),
    });
    if (parsed.success) return parsed.data;
    refuse(context, said, `a fault such as \`${EXAMPLE}\``, "see docs/scenarios.md for its forms");
    return z.NEVER;
  });

const fault = z.union([sentence, map], { error: expecting(`a fault such as \`${EXAMPLE}\``) });
const list = z.array(fault).max(1000);

const swarm = z
  .union(
    [
      z.literal(true),
      z.strictObject({
        calls: z.array(z.string().max(100)).default([]).meta({
          description: "Calls that may fail; without it, all with a failure that software has to live with",
        }),
      }),
    ],
    { error: expecting("true or a map") },
  )
  .transform((value) => (value === true ? { calls: [] } : value))
  .meta({ description: "Faults drawn from the seed: first which kinds there are, then where they strike" });

const both = z.strictObject({
  swarm: swarm.nullable().default(null),
  list: list.default([]).meta({ description: "Faults by name and count beside those that are drawn" }),
});

/** A list of faults, or a map with those that the seed draws. */
export const faultsSchema = z
  .union([list, both], { error: expecting("a list of faults, or a map with `swarm`") })
  .transform((value) =>
    Array.isArray(value) ? { swarm: null, list: value, isList: true } : { ...value, isList: false },
  )
  .meta({ description: "Calls that go wrong" });
