import { isChained, lengthOf, recordBytes } from "../check/segment.ts";
import type { Piece, SharedSegment } from "./search-messages.ts";

/** Pieces of a level that each thread gets, on average: whoever is done early takes one more. */
const PIECES_A_THREAD = 8;
/** Word of a record that holds the length of its state, see lengthOf. */
const LENGTH = 1;

/** A level cut up for threads. */
export interface Cut {
  readonly pieces: readonly Piece[];
  /** By segment: pieces of it that are still to do. Whoever does the last one may use its memory again. */
  readonly left: SharedArrayBuffer;
}

/** Cuts a stretch of records into pieces of about so many bytes, between two chains. */
const cutUp = (whole: SharedSegment, pieceBytes: number, segment: number): Piece[] => {
  const { buffer, begin, used } = whole;
  const words = new Uint32Array(buffer);
  const pieces: Piece[] = [];
  let from = begin;
  for (let at = begin; at < used; ) {
    at += recordBytes(lengthOf(words[(at >>> 2) + LENGTH]!));
    if (at < used && (at - from < pieceBytes || isChained(words[(at >>> 2) + LENGTH]!))) continue;
    pieces.push({ buffer, begin: from, used: at, segment });
    from = at;
  }
  return pieces;
};

/**
 * Cuts a level so that its threads end at about the same time, however few segments it has: where steps are costly, a level
 * of a hundred states takes long and lies in one segment.
 */
export const cutLevel = (level: readonly SharedSegment[], threads: number): Cut => {
  const bytes = level.reduce((sum, { begin, used }) => sum + used - begin, 0);
  const pieceBytes = Math.ceil(bytes / (PIECES_A_THREAD * threads));
  const segments = new Map<SharedArrayBuffer, number>();
  const counts: number[] = [];
  const pieces = level.flatMap((stretch) => {
    const segment = segments.get(stretch.buffer) ?? segments.size;
    segments.set(stretch.buffer, segment);
    const whole = stretch.used - stretch.begin <= pieceBytes;
    const cut = whole ? [{ ...stretch, segment }] : cutUp(stretch, pieceBytes, segment);
    counts[segment] = (counts[segment] ?? 0) + cut.length;
    return cut;
  });
  const left = new SharedArrayBuffer(4 * counts.length);
  new Int32Array(left).set(counts);
  return { pieces, left };
};
