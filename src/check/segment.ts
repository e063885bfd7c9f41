import type { System } from "./system.ts";
import { MOST_CHOICES } from "./visited-set.ts";

/** Bytes of a record before its state: the state's number, and the length of what was saved, see lengthOf. */
export const RECORD_HEADER = 8;
const USUAL_BYTES = 2 ** 16;
const FEWEST_RECORDS = 4;

/** States of a chain. A search stops between two chains only, and each may be expanded by another thread. */
const CHAIN = 32;
/** Choices of a state of a chain: those of all its states fit a table before it grows. */
export const MOST_CHAINED_CHOICES = Math.floor(MOST_CHOICES / CHAIN);
/** Bit of a record's length: its state is saved as what differs from that of the record before. */
const CHAINED = 0x8000_0000;

/** Bytes of a record's state, by the word that holds it. */
export const lengthOf = (word: number): number => word & ~CHAINED;
/** Whether a record is only read behind the one before it. */
export const isChained = (word: number): boolean => (word & CHAINED) !== 0;

/** Bytes that a segment has, so that a few of the longest states fit. */
export const segmentBytes = (stateBytes: number): number =>
  Math.max(USUAL_BYTES, FEWEST_RECORDS * recordBytes(stateBytes));

/** Bytes that a state of this length takes in a segment. */
export const recordBytes = (length: number): number => RECORD_HEADER + 4 * Math.ceil(length / 4);

/** A stretch of a frontier: saved states one after the other, each to be expanded once. */
export class Segment {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** Bytes in use. */
  used = 0;
  /** Where the first record that is still to do begins. */
  begin = 0;

  constructor(buffer: ArrayBufferLike) {
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
  }

  /** The records that are still to do. */
  get rest(): Uint8Array {
    return this.bytes.subarray(this.begin, this.used);
  }
}

/** Where the states go that are to be expanded next. It fills one segment after the other. */
export class FrontierWriter {
  /** Segments that hold something, the one being filled included. */
  segments: Segment[] = [];
  /** Bytes of all segments that were ever made; they are used again and never given back. */
  bytes = 0;
  /** States that were ever appended. */
  appended = 0;
  private readonly free: Segment[] = [];
  private filling: Segment | undefined;
  /** Records of the chain that is being written; 0: the next record begins one. */
  private chained = 0;
  private readonly capacity: number;
  private readonly longest: number;
  private readonly allocate: (bytes: number) => ArrayBufferLike;

  constructor(stateBytes: number, allocate: (bytes: number) => ArrayBufferLike) {
    this.capacity = segmentBytes(stateBytes);
    this.longest = recordBytes(stateBytes);
    this.allocate = allocate;
  }

  append(system: System, number: number): void {
    const segment = this.withRoom();
    const at = segment.used + RECORD_HEADER;
    if (system.saveNext === undefined) {
      this.close(segment, system.save(segment.bytes, at), number);
      return;
    }
    const first = this.chained === 0;
    const length = system.saveNext(segment.bytes, at, first);
    this.chained = (this.chained + 1) % CHAIN;
    this.close(segment, length, number, first ? 0 : CHAINED);
  }

  /** Appends a state that was saved elsewhere. */
  appendBytes(from: Uint8Array, at: number, length: number, number: number): void {
    const segment = this.withRoom();
    const { bytes } = segment;
    const to = segment.used + RECORD_HEADER;
    for (let byte = 0; byte < length; byte++) bytes[to + byte] = from[at + byte]!;
    this.close(segment, length, number);
  }

  private withRoom(): Segment {
    const segment = this.filling;
    return segment === undefined || segment.used + this.longest > this.capacity ? this.next() : segment;
  }

  private close(segment: Segment, length: number, number: number, chained = 0): void {
    const at = segment.used;
    segment.words[at >>> 2] = number;
    segment.words[(at >>> 2) + 1] = length | chained;
    segment.used = at + recordBytes(length);
    this.appended++;
  }

  /** Takes away what was written so far. */
  take(): Segment[] {
    const { segments } = this;
    this.segments = [];
    this.filling = undefined;
    this.chained = 0;
    return segments;
  }

  /** A segment with records that were written elsewhere. It is as long as they are. */
  load(records: Uint8Array): Segment {
    const segment = new Segment(this.allocate(records.length));
    segment.bytes.set(records);
    segment.used = records.length;
    this.bytes += records.length;
    return segment;
  }

  /** Gives back a segment whose records are all done. */
  recycle(segment: Segment): void {
    if (segment.bytes.length !== this.capacity) return;
    segment.used = 0;
    segment.begin = 0;
    this.free.push(segment);
  }

  private next(): Segment {
    let segment = this.free.pop();
    if (segment === undefined) {
      segment = new Segment(this.allocate(this.capacity));
      this.bytes += this.capacity;
    }
    this.segments.push(segment);
    this.filling = segment;
    this.chained = 0;
    return segment;
  }
}
