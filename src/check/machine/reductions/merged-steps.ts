import type { IndependentSteps } from "./independent-steps.ts";
import type { LocalSteps } from "./local-steps.ts";

/** More independent steps in a row than any machine takes that comes to rest. */
const MOST_INDEPENDENT = 1000;

/** What is done with the machine. */
export interface Stepping {
  /** An actor is about to take a step of its own accord. */
  readonly moves: (actor: number) => void;
  /** Takes a step that was found independent, by the number of the choice. */
  readonly take: (choice: number) => void;
  /** Something was done: the choices are others. */
  readonly changed: () => void;
}

/** Steps that are taken at once, as part of the choice before them. */
export class MergedSteps {
  /** Tells which others than local ones; absent: none. */
  independent: IndependentSteps | undefined;
  private readonly local: LocalSteps;
  private readonly stepping: Stepping;

  constructor(local: LocalSteps, stepping: Stepping) {
    this.local = local;
    this.stepping = stepping;
  }

  /** Takes all that need not wait. After so many steps the state is kept, whatever they were: nothing is put off for ever. */
  takeAll(): void {
    const { stepping, local } = this;
    for (let taken = 0; taken < MOST_INDEPENDENT; taken++) {
      local.takeAll(this.leaves, this.arrives);
      stepping.changed();
      const choice = this.independent?.next() ?? -1;
      if (choice < 0) return;
      stepping.moves(choice >> 1);
      stepping.take(choice);
    }
  }

  private readonly leaves = (actor: number): void => {
    this.stepping.moves(actor);
    this.independent?.leaves(actor);
  };
  private readonly arrives = (actor: number, words: number): void => {
    this.independent?.arrives(actor, words);
  };
}
