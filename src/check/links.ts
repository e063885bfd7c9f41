import { assert } from "../assert.ts";
import { MOST_CHOICES } from "./visited-set.ts";

/** The initial state has no parent. */
export const NO_PARENT = 0xffff_ffff;

const CHUNK = 2 ** 16;

/** Where the way to each new state is noted. */
export interface LinkLog {
  /** @returns the new state's number */
  add(parent: number, choice: number): number;
}

/** For a search that tells no stories. */
export const NO_LINKS: LinkLog = { add: () => 0 };

/** How each state was met first: the number of the state before it, and the choice taken there. Six bytes a state. */
export class Links implements LinkLog {
  private readonly parents: Uint32Array[] = [];
  private readonly choices: Uint16Array[] = [];
  private count = 0;

  get bytes(): number {
    return this.parents.length * CHUNK * 6;
  }

  get size(): number {
    return this.count;
  }

  /** @returns the new state's number */
  add(parent: number, choice: number): number {
    const place = this.count % CHUNK;
    if (place === 0) this.addChunk();
    this.parents[this.parents.length - 1]![place] = parent;
    this.choices[this.choices.length - 1]![place] = choice;
    return this.count++;
  }

  private addChunk(): void {
    this.parents.push(new Uint32Array(CHUNK));
    this.choices.push(new Uint16Array(CHUNK));
  }

  parent(number: number): number {
    assert(number < this.count, "a link is asked for a state it knows");
    return this.parents[Math.floor(number / CHUNK)]![number % CHUNK]!;
  }

  choice(number: number): number {
    assert(number < this.count, "a link is asked for a state it knows");
    return this.choices[Math.floor(number / CHUNK)]![number % CHUNK]!;
  }

  /** Choices that lead from the initial state to state `number`. */
  pathTo(number: number): number[] {
    const path: number[] = [];
    for (let at = number; this.parent(at) !== NO_PARENT; at = this.parent(at)) path.push(this.choice(at));
    return path.reverse();
  }

  /** The chunks as they are, for a checkpoint. */
  sections(): { readonly parents: readonly Uint32Array[]; readonly choices: readonly Uint16Array[] } {
    const used = (chunk: number): number => Math.min(CHUNK, this.count - chunk * CHUNK);
    return {
      parents: this.parents.map((parents, chunk) => parents.subarray(0, used(chunk))),
      choices: this.choices.map((choices, chunk) => choices.subarray(0, used(chunk))),
    };
  }

  /** Takes over what `sections` of another gave. */
  load({ parents, choices }: ReturnType<Links["sections"]>): void {
    parents.forEach((chunk, at) => {
      this.addChunk();
      this.parents[at]!.set(chunk);
      this.choices[at]!.set(choices[at]!);
      this.count += chunk.length;
    });
  }
}

/** A link keeps a choice in two bytes. @param most fewer, for a system whose states are saved in chains */
export const assertFits = (choices: number, most = MOST_CHOICES): void =>
  assert(choices <= most, () => `a state has at most ${most} choices, not ${choices}`);
