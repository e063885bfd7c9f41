import { DISABLED, type System, TAKEN } from "./system.ts";

/** A story by tokens: it means the same in every state and configuration that has them. */
export type Tokens = readonly number[];

export interface Replayed {
  /** Tokens of the steps that were taken: those that had no such choice in their state are left out. */
  readonly taken: Tokens;
  /** Index of the choice at each step taken. */
  readonly path: readonly number[];
  /** Who took each step. */
  readonly actors: readonly number[];
  /** The first violation, after the last step taken; TAKEN if there is none. */
  readonly violation: number;
  readonly atRest: boolean;
  /** Steps after which it goes round for ever; absent: it ends. */
  readonly roundFrom?: number;
}

/** Tokens of the choices of a path. */
export const tokensOf = (system: System, path: readonly number[]): Tokens => {
  system.reset();
  return path.map((choice) => {
    system.choices();
    const token = system.token(choice);
    system.choose(choice);
    return token;
  });
};

const choiceOf = (system: System, token: number): number => {
  const count = system.choices();
  for (let choice = 0; choice < count; choice++) if (system.token(choice) === token) return choice;
  return -1;
};

/** Whether nothing can be taken in the current state; it is then told what that means. */
const restOf = (system: System, here: Uint8Array): number | undefined => {
  const length = system.save(here, 0);
  const count = system.choices();
  for (let choice = 0; choice < count; choice++) {
    const result = system.choose(choice);
    system.restore(here, 0, length);
    if (result !== DISABLED) return undefined;
  }
  const result = system.atRest();
  return result;
};

/** Takes the steps that the tokens name, as far as there are such choices, up to the first violation. */
export const replay = (system: System, tokens: Tokens): Replayed => {
  const here = new Uint8Array(system.stateBytes);
  const [taken, path, actors]: [number[], number[], number[]] = [[], [], []];
  system.reset();
  for (const token of tokens) {
    const length = system.save(here, 0);
    const choice = choiceOf(system, token);
    if (choice < 0) continue;
    const actor = system.actor(choice);
    const violation = system.choose(choice);
    if (violation === DISABLED) {
      system.restore(here, 0, length);
      continue;
    }
    taken.push(token);
    path.push(choice);
    actors.push(actor);
    if (violation !== TAKEN) return { taken, path, actors, violation, atRest: false };
  }
  const violation = restOf(system, here) ?? TAKEN;
  return { taken, path, actors, violation, atRest: violation !== TAKEN };
};
