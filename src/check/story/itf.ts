import type { Story, StoryEffect } from "./story.ts";

/** A whole number, as ITF writes all of them. */
interface BigInteger {
  readonly "#bigint": string;
}

/** A state: its variables, each by its name. */
interface ItfState {
  readonly "#meta": { readonly index: number };
  readonly step: BigInteger;
  readonly actor: string;
  readonly action: string;
  readonly effects: readonly string[];
  /** State of each stretch of memory that the story showed so far, by its first and last byte. */
  readonly memory: { readonly "#map": readonly (readonly [place: string, state: string])[] };
  /** The broken rule; empty before the last state. */
  readonly violation: string;
}

const VARIABLES = ["step", "actor", "action", "effects", "memory", "violation"] as const;

const bigint = (value: number): BigInteger => ({ "#bigint": String(value) });

/** What changed nothing that a story shows leaves memory as it was. */
const remember = (memory: Map<string, string>, effects: readonly StoryEffect[]): void => {
  for (const { place, after } of effects) if (place !== "" && after !== "") memory.set(place, after);
};

/**
 * A story in the Informal Trace Format: the initial state, and one state a row of the story. Memory is in it as far as the
 * story shows it: a place appears with the first effect that tells its state.
 *
 * @source Apalache ADR 015, the ITF trace format
 */
export const storyItf = (name: string, { rows, violation, broken, roundFrom }: Story): string => {
  const memory = new Map<string, string>();
  const states = [
    stateOf(0, { step: 0, actor: "", what: "", effects: [], shown: [] }, memory),
    ...rows.map((row, index) => {
      remember(memory, row.shown);
      return stateOf(index + 1, row, memory);
    }),
  ];
  const last = states.at(-1)!;
  const told = [...states.slice(0, -1), { ...last, violation: broken ? violation : "" }];
  const meta = { format: "ITF", source: name, status: broken ? "violation" : "ok", description: violation };
  // Number of the state to which the last one comes back.
  const loop = roundFrom === undefined ? -1 : 1 + rows.findIndex(({ step }) => step === roundFrom);
  const trace = { "#meta": meta, vars: VARIABLES, states: told, ...(loop >= 0 && { loop }) };
  return `${JSON.stringify(trace, undefined, 1)}\n`;
};

const stateOf = (
  index: number,
  { step, actor, what, effects }: Omit<Story["rows"][number], "steps">,
  memory: ReadonlyMap<string, string>,
): ItfState => ({
  "#meta": { index },
  step: bigint(step),
  actor,
  action: what,
  effects,
  memory: { "#map": [...memory] },
  violation: "",
});
