import { assert } from "../../assert.ts";
import type { RamFile } from "./ram-file.ts";

/** Guest-physical bytes [start, start + size) lie in a file from `offset` on. */
export interface RamPiece {
  readonly start: number;
  readonly size: number;
  readonly file: RamFile;
  readonly offset: number;
}

/** Part of a range of guest memory that lies in one piece. */
interface Part {
  readonly piece: RamPiece;
  /** Byte of the file. */
  readonly offset: number;
  /** Bytes from the start of the range. */
  readonly at: number;
  readonly length: number;
}

/** The guest's physical memory, as the files behind it. Pieces come and go with DIMMs. */
export class GuestRam {
  /** Ascending, disjoint. */
  private list: readonly RamPiece[] = [];

  get pieces(): readonly RamPiece[] {
    return this.list;
  }

  add(piece: RamPiece): void {
    const end = piece.start + piece.size;
    const clash = this.list.some((other) => other.start < end && piece.start < other.start + other.size);
    assert(!clash, () => `memory at 0x${piece.start.toString(16)} lies in one file`);
    this.list = [...this.list, piece].sort((a, b) => a.start - b.start);
  }

  /** Forgets the piece that starts at `start`, and closes its file if nothing else lies in it. */
  remove(start: number): void {
    const gone = this.list.find((piece) => piece.start === start);
    this.list = this.list.filter((piece) => piece !== gone);
    if (gone !== undefined && !this.list.some(({ file }) => file === gone.file)) gone.file.close();
  }

  /** Whether all of [gpa, gpa + length) is memory. */
  has(gpa: number, length: number): boolean {
    return this.parts(gpa, length) !== undefined;
  }

  /** A copy of [gpa, gpa + length), which must be memory. */
  read(gpa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.readInto(gpa, bytes);
    return bytes;
  }

  readInto(gpa: number, bytes: Uint8Array): void {
    for (const { piece, offset, at, length } of this.demand(gpa, bytes.length))
      piece.file.read(offset, bytes.subarray(at, at + length));
  }

  write(gpa: number, bytes: Uint8Array): void {
    for (const { piece, offset, at, length } of this.demand(gpa, bytes.length))
      piece.file.write(offset, bytes.subarray(at, at + length));
  }

  /** The files and file ranges behind [gpa, gpa + length), which must be memory. */
  filesOf(
    gpa: number,
    length: number,
  ): { readonly file: RamFile; readonly offset: number; readonly length: number }[] {
    return this.demand(gpa, length).map((part) => ({
      file: part.piece.file,
      offset: part.offset,
      length: part.length,
    }));
  }

  close(): void {
    for (const { file } of this.list) file.close();
    this.list = [];
  }

  private demand(gpa: number, length: number): Part[] {
    const parts = this.parts(gpa, length);
    assert(parts !== undefined, () => `[0x${gpa.toString(16)}, +0x${length.toString(16)}) is guest memory`);
    return parts;
  }

  private parts(gpa: number, length: number): Part[] | undefined {
    const parts: Part[] = [];
    let at = 0;
    for (const piece of this.list) {
      if (at === length) break;
      const from = gpa + at;
      if (from < piece.start || piece.start + piece.size <= from) continue;
      const count = Math.min(length - at, piece.start + piece.size - from);
      parts.push({ piece, offset: piece.offset + (from - piece.start), at, length: count });
      at += count;
    }
    return at === length ? parts : undefined;
  }
}
