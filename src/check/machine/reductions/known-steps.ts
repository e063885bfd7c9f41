import type { TracedChoice } from "./traced-machine.ts";

/** A step that was tried: it comes to the same wherever all that it touched is what it was. */
export interface KnownStep extends TracedChoice {
  /** Locations that it took actors to. */
  readonly next: readonly number[];
}

/** Known steps of one choice, told apart by the first word in whose value they differ. */
interface Fork {
  readonly at: number;
  readonly number: number;
  readonly ways: Map<number, Fork | KnownStep>;
  readonly some: KnownStep;
}

/** Bytes of a step's objects, and of all that is known of one word that it touched, about. */
const STEP_BYTES = 600;
const WORD_BYTES = 32;

const isFork = (node: Fork | KnownStep): node is Fork => "ways" in node;

/** Place of the first word in whose value two steps differ; -1: they look at other words although they saw the same before. */
const parting = (one: KnownStep, other: KnownStep): number => {
  for (let at = 0; at < one.numbers.length && at < other.numbers.length; at++) {
    if (one.numbers[at] !== other.numbers[at]) return -1;
    if (one.values[at] !== other.values[at]) return at;
  }
  return -1;
};

/**
 * Remembers steps by what they touched. What a step does follows from the words that it looks at, one after the other, and each
 * value decides at which it looks next.
 */
export class KnownSteps {
  /** Bytes of what is known, about. */
  bytes = 0;
  private readonly roots = new Map<number, Fork | KnownStep>();
  private readonly valueNow: (number: number) => number;

  /** @param valueNow what a word holds now */
  constructor(valueNow: (number: number) => number) {
    this.valueNow = valueNow;
  }

  /** What a choice comes to now; undefined: that is not known. */
  find(choice: number): KnownStep | undefined {
    let node = this.roots.get(choice);
    while (node !== undefined && isFork(node)) node = node.ways.get(this.valueNow(node.number));
    return node !== undefined && this.isSame(node) ? node : undefined;
  }

  private isSame({ numbers, values }: KnownStep): boolean {
    for (let at = 0; at < numbers.length; at++) if (this.valueNow(numbers[at]!) !== values[at]) return false;
    return true;
  }

  /** @returns false if what is known of a choice does not decide what it looks at */
  add(choice: number, step: KnownStep): boolean {
    const { roots } = this;
    this.bytes += STEP_BYTES + WORD_BYTES * step.numbers.length;
    let put = (node: Fork | KnownStep): void => {
      roots.set(choice, node);
    };
    for (let node = roots.get(choice); node !== undefined; ) {
      const some = isFork(node) ? node.some : node;
      const at = parting(some, step);
      if (at < 0) return false;
      if (!isFork(node) || at < node.at) {
        const ways = new Map<number, Fork | KnownStep>([
          [some.values[at]!, node],
          [step.values[at]!, step],
        ]);
        put({ at, number: step.numbers[at]!, ways, some });
        return true;
      }
      const { ways } = node;
      const value = step.values[node.at]!;
      put = (deeper) => {
        ways.set(value, deeper);
      };
      node = ways.get(value);
    }
    put(step);
    return true;
  }
}
