import { assert } from "../assert.ts";
import { MOST_CHOICES } from "./visited-set.ts";

/** The initial state has no parent. */
export const NO_PARENT = 0xffff_ffff;

const CHUNK = 2 ** 16;

/** How each state was met first: the number of the state before it, and the choice taken there. Six bytes a state. */
export class Links {
  private readonly parents: Uint32Array[] = [];
  private readonly choices: Uint16Array[] = [];
  private count = 0;
  private readonly stride: number;
  private readonly offset: number;

  /** States are numbered offset, offset + stride, ...: several threads share the numbers without asking each other. */
  constructor(stride = 1, offset = 0) {
    this.stride = stride;
    this.offset = offset;
  }

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
    return this.count++ * this.stride + this.offset;
  }

  private addChunk(): void {
    this.parents.push(new Uint32Array(CHUNK));
    this.choices.push(new Uint16Array(CHUNK));
  }

  parent(number: number): number {
    const index = this.indexOf(number);
    return this.parents[Math.floor(index / CHUNK)]![index % CHUNK]!;
  }

  choice(number: number): number {
    const index = this.indexOf(number);
    return this.choices[Math.floor(index / CHUNK)]![index % CHUNK]!;
  }

  private indexOf(number: number): number {
    const index = (number - this.offset) / this.stride;
    assert(
      Number.isInteger(index) && 0 <= index && index < this.count,
      "a link is asked for a state it knows",
    );
    return index;
  }

  /** Choices that lead from the initial state to state `number`. */
  pathTo(number: number): number[] {
    const path: number[] = [];
    for (let at = number; this.parent(at) !== NO_PARENT; at = this.parent(at)) path.push(this.choice(at));
    return path.reverse();
  }

  /** The chunks as they are, for a checkpoint. */
  *chunks(): Generator<{ readonly parents: Uint32Array; readonly choices: Uint16Array }> {
    for (let chunk = 0; chunk < this.parents.length; chunk++) {
      const length = Math.min(CHUNK, this.count - chunk * CHUNK);
      yield {
        parents: this.parents[chunk]!.subarray(0, length),
        choices: this.choices[chunk]!.subarray(0, length),
      };
    }
  }
}

/** A link keeps a choice in two bytes. */
export const assertFits = (choices: number): void =>
  assert(choices <= MOST_CHOICES, () => `a state has at most ${MOST_CHOICES} choices, not ${choices}`);
