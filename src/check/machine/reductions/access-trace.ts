/** Bits of the bytes of a word. */
const ALL_BYTES = 15;

/**
 * What a step touched, by number of word: which bytes, a bit each; which of them it changed; and what was there before. Who only
 * writes a byte touches it as well, for what it changes depends on what was there.
 */
export interface Accesses {
  readonly numbers: Int32Array;
  readonly touched: Uint8Array;
  readonly changed: Uint8Array;
  readonly values: Uint32Array;
}

/** Words that a trace tells of. */
export interface TracedWords {
  readonly memory: Uint32Array;
  /** Words of the memory: their place here is their number. Behind the last one each actor has a mark: 1 if it has no work. */
  readonly words: readonly number[];
  readonly actors: number;
  readonly isIdle: (actor: number) => boolean;
  /** Words that `runSettled` may read. */
  readonly settled: ReadonlySet<number>;
}

/** Notes which words of a machine a step reads and writes. */
export class AccessTrace {
  /** Nothing is noted while it is off. */
  on = false;
  private readonly memory: Uint32Array;
  private readonly places: Int32Array;
  private readonly isIdle: (actor: number) => boolean;
  /** By word of the memory: its number, or -1 for what no step looks at. */
  private readonly numberOf: Int32Array;
  private readonly settled: Uint8Array;
  /** By number. */
  private readonly touched: Uint8Array;
  private readonly written: Uint8Array;
  private readonly before: Uint32Array;
  private list: number[] = [];
  /** Numbers and bytes that are read to find out whether something is to be done at all. */
  private aside: number[] | undefined;
  private wroteAside = false;

  constructor({ memory, words, actors, isIdle, settled }: TracedWords) {
    this.memory = memory;
    this.isIdle = isIdle;
    this.places = Int32Array.from(words);
    this.numberOf = new Int32Array(memory.length).fill(-1);
    for (const [number, word] of words.entries()) this.numberOf[word] = number;
    const count = words.length + actors;
    this.settled = Uint8Array.from({ length: count }, (_, number) =>
      number >= words.length || settled.has(words[number]!) ? 1 : 0,
    );
    this.touched = new Uint8Array(count);
    this.written = new Uint8Array(count);
    this.before = new Uint32Array(count);
  }

  /** Words and marks. */
  get count(): number {
    return this.touched.length;
  }

  /** What a word holds, or a mark says, now. */
  valueNow(number: number): number {
    const { places, memory } = this;
    if (number < places.length) return memory[places[number]!]!;
    return this.isIdle(number - places.length) ? 1 : 0;
  }

  begin(): void {
    const { list, touched, written, before, places, count } = this;
    for (const number of list) {
      touched[number] = 0;
      written[number] = 0;
    }
    this.list = [];
    for (let mark = places.length; mark < count; mark++) before[mark] = this.valueNow(mark);
    this.on = true;
  }

  /** An element of so many bytes is read. */
  read(byte: number, size: number): void {
    for (let at = byte; at < byte + size; at += 4) this.note(at, size, false);
  }

  /** An element of so many bytes is about to be written. */
  write(byte: number, size: number): void {
    for (let at = byte; at < byte + size; at += 4) this.note(at, size, true);
  }

  /** Somebody asks whether an actor has work. */
  readMark(actor: number): void {
    if (this.on) this.mark(this.places.length + actor, 1, false);
  }

  private note(byte: number, size: number, writes: boolean): void {
    const number = this.numberOf[byte >>> 2]!;
    if (number >= 0) this.mark(number, size >= 4 ? ALL_BYTES : ((1 << size) - 1) << (byte & 3), writes);
  }

  private mark(number: number, bytes: number, writes: boolean): void {
    if (this.aside !== undefined) {
      this.wroteAside ||= writes;
      if (!writes) {
        this.aside.push(number, bytes);
        return;
      }
    }
    if (this.touched[number] === 0) {
      this.list.push(number);
      if (number < this.places.length) this.before[number] = this.valueNow(number);
    }
    this.touched[number]! |= bytes;
    if (writes) this.written[number]! |= bytes;
  }

  /**
   * Runs something that was run at the end of the step before as well, so that it does nothing unless this step wrote a word that it
   * may read, or somebody got work or ended it. Where it has nothing to do what it reads is no part of the step.
   */
  runSettled(run: () => void): void {
    if (!this.on) {
      run();
      return;
    }
    const { list, settled, written } = this;
    let matters = list.some((number) => written[number] !== 0 && settled[number] === 1) || this.worked();
    const aside: number[] = [];
    this.aside = aside;
    this.wroteAside = false;
    run();
    this.aside = undefined;
    for (let at = 0; at < aside.length; at += 2) matters ||= settled[aside[at]!] === 0;
    if (!matters && !this.wroteAside) return;
    for (let at = 0; at < aside.length; at += 2) this.mark(aside[at]!, aside[at + 1]!, false);
  }

  /** Whether somebody got work, or ended it. */
  private worked(): boolean {
    for (let mark = this.places.length; mark < this.count; mark++)
      if (this.before[mark] !== this.valueNow(mark)) return true;
    return false;
  }

  /** Ends a step. */
  end(): Accesses {
    this.on = false;
    const { list, touched, before, places, count } = this;
    for (let mark = places.length; mark < count; mark++)
      if (before[mark] !== this.valueNow(mark)) this.mark(mark, 1, true);
    return {
      numbers: Int32Array.from(list),
      touched: Uint8Array.from(list, (number) => touched[number]!),
      changed: Uint8Array.from(list, (number) => bytesOf(before[number]! ^ this.valueNow(number))),
      values: Uint32Array.from(list, (number) => before[number]!),
    };
  }
}

/** The bytes of a word in which some bit is set, a bit each. */
const bytesOf = (bits: number): number =>
  (bits & 0xff ? 1 : 0) | (bits & 0xff00 ? 2 : 0) | (bits & 0xff0000 ? 4 : 0) | (bits & 0xff000000 ? 8 : 0);
