/** Steps that are remembered; one drives out another. Fewer where there is less memory, but no fewer than that. */
const MOST_SLOTS = 2 ** 18;
const FEWEST_SLOTS = 2 ** 12;
/** Words of a slot. */
const SLOT = {
  LOW: 0,
  HIGH: 1,
  /** One of KNOWN. */
  WHAT: 2,
  /** Any number that is given. */
  KIND: 3,
  /** What the fingerprint changes. */
  CHANGE_LOW: 4,
  CHANGE_HIGH: 5,
  /** Where what it changed lies in the log, twice; plus 1 if it was written in an odd round. */
  PLACE: 6,
  WORDS: 7,
  /** What else the fingerprint changes; not in all memories. */
  MORE: 8,
} as const;
const SLOT_WORDS = { few: 8, more: 16 } as const;
/** Room for what else the fingerprint changes. */
export const MORE_WORDS = SLOT_WORDS.more - SLOT_WORDS.few;
/** What a slot holds of a step: nothing, what it changed, that there is no such step, or that it depends on more. */
export const KNOWN = { NOTHING: 0, TAKEN: 1, DISABLED: 2, MORE: 3 } as const;
/** Words of what steps changed, by slot. The newest drive out the oldest. */
const LOGGED = 32;
/** For so many of the longest there is always room. */
const FEWEST_STEPS = 16;
/** Memory that is taken at once when some of it is written. */
const PAGE = 4096;

/** What steps did, by 64 bits of what they depend on. A slot is named by its first word. */
export class StepMemory {
  /** From `begin` to `end` of it lies what a step changed. */
  readonly log: Uint32Array;
  readonly slots: Uint32Array;
  private readonly slotWords: number;
  private readonly count: number;
  private readonly longest: number;
  /** Where the log goes on. */
  private head = 0;
  private round = 0;
  /** How often a slot was written, and how much of the log ever was. */
  private kept = 0;
  private written = 0;
  /** Somewhere for what was touched to go, so that the reads are not left out. */
  protected touched = 0;

  /**
   * @param longest words that a step changes at most, and what is written with them
   * @param more whether the fingerprint changes in more ways than one
   * @param most bytes that it takes, unless it can do with no fewer
   */
  constructor(longest: number, more = false, most = Number.POSITIVE_INFINITY) {
    this.longest = longest;
    this.slotWords = more ? SLOT_WORDS.more : SLOT_WORDS.few;
    const bytesOf = (slots: number): number => 4 * slots * (this.slotWords + LOGGED);
    let count = MOST_SLOTS;
    while (count > FEWEST_SLOTS && bytesOf(count) > most) count /= 2;
    this.count = count;
    this.slots = new Uint32Array(count * this.slotWords);
    this.log = new Uint32Array(Math.max(LOGGED * count, FEWEST_STEPS * longest));
  }

  /** What of its memory was ever written, in pages. */
  get bytes(): number {
    return Math.min(this.slots.byteLength, this.kept * PAGE) + 4 * this.written;
  }

  private slotOf(low: number): number {
    return (low % this.count) * this.slotWords;
  }

  /** Reads where some steps belong, so that their slots are in the cache. */
  touch(lows: Uint32Array, count: number): void {
    const { slots } = this;
    let sum = 0;
    for (let at = 0; at < count; at++) sum ^= slots[this.slotOf(lows[at]!)]!;
    this.touched = sum;
  }

  /** @returns the slot of a step, or -1 if nothing is known of it */
  find(low: number, high: number): number {
    const { slots } = this;
    const slot = this.slotOf(low);
    if (slots[slot + SLOT.LOW] !== low || slots[slot + SLOT.HIGH] !== high) return -1;
    const what = slots[slot + SLOT.WHAT]!;
    if (what === KNOWN.NOTHING) return -1;
    return what === KNOWN.TAKEN && this.isOverwritten(slots[slot + SLOT.PLACE]!) ? -1 : slot;
  }

  private isOverwritten(place: number): boolean {
    return (place & 1) !== this.round && place >>> 1 < this.head;
  }

  what(slot: number): number {
    return this.slots[slot + SLOT.WHAT]!;
  }

  kind(slot: number): number {
    return this.slots[slot + SLOT.KIND]!;
  }

  changeLow(slot: number): number {
    return this.slots[slot + SLOT.CHANGE_LOW]!;
  }

  changeHigh(slot: number): number {
    return this.slots[slot + SLOT.CHANGE_HIGH]!;
  }

  /** Place among the slots of what else the fingerprint changes. */
  more(slot: number): number {
    return slot + SLOT.MORE;
  }

  begin(slot: number): number {
    return this.slots[slot + SLOT.PLACE]! >>> 1;
  }

  end(slot: number): number {
    return this.begin(slot) + this.slots[slot + SLOT.WORDS]!;
  }

  /** Where in the log to write what a step changed; there is room for the longest. */
  room(): number {
    if (this.head + this.longest > this.log.length) this.beginRound();
    return this.head;
  }

  /** Of what was written in the round before last nothing is left. */
  private beginRound(): void {
    const { slots, slotWords } = this;
    this.head = 0;
    this.round = 1 - this.round;
    for (let slot = 0; slot < slots.length; slot += slotWords)
      if ((slots[slot + SLOT.PLACE]! & 1) === this.round) slots[slot + SLOT.WHAT] = KNOWN.NOTHING;
  }

  /** Remembers of a step what needs no more than that. */
  note(low: number, high: number, what: number, kind: number): void {
    this.keep(low, high, kind, 0, 0, this.room());
    this.slots[this.slotOf(low) + SLOT.WHAT] = what;
  }

  /** Remembers what a step changed. @param end of what was written where there was room @returns its slot */
  keep(low: number, high: number, kind: number, changeLow: number, changeHigh: number, end: number): number {
    const { slots, head } = this;
    const slot = this.slotOf(low);
    slots[slot + SLOT.LOW] = low;
    slots[slot + SLOT.HIGH] = high;
    slots[slot + SLOT.WHAT] = KNOWN.TAKEN;
    slots[slot + SLOT.KIND] = kind;
    slots[slot + SLOT.CHANGE_LOW] = changeLow;
    slots[slot + SLOT.CHANGE_HIGH] = changeHigh;
    slots[slot + SLOT.PLACE] = head * 2 + this.round;
    slots[slot + SLOT.WORDS] = end - head;
    this.head = end;
    this.kept++;
    if (end > this.written) this.written = end;
    return slot;
  }
}
