/** What is done with the files of an archive. Nothing is ever written anywhere. */
export interface TarVisitor {
  /** A file begins; false skips it. @param path as the archive has it */
  begin(path: string, size: number): boolean;
  data(bytes: Uint8Array): void;
  end(): void;
}

const BLOCK = 512;
/** Bytes of a long name or of extended headers that are kept. */
const LONGEST_NAME = 2 ** 16;
const REGULAR = new Set(["0", "\0", "7"]);

const text = (block: Uint8Array, at: number, length: number): string => {
  const bytes = block.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
};

/** A size: octal digits, or base 256 where the first bit is set. Undefined if it is neither. */
const sizeOf = (block: Uint8Array): number | undefined => {
  if ((block[124]! & 0x80) === 0) {
    const digits = text(block, 124, 12).trim();
    return /^[0-7]{0,12}$/.test(digits) ? Number.parseInt(digits || "0", 8) : undefined;
  }
  let size = 0;
  for (let i = 128; i < 136; i++) size = size * 256 + block[i]!;
  return size <= Number.MAX_SAFE_INTEGER ? size : undefined;
};

/** The sum of a header's bytes, its own field taken as spaces. */
const isHeader = (block: Uint8Array): boolean => {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : block[i]!;
  return Number.parseInt(text(block, 148, 8).trim(), 8) === sum;
};

const nameOf = (block: Uint8Array): string => {
  const prefix = text(block, 345, 155);
  const name = text(block, 0, 100);
  return prefix === "" ? name : `${prefix}/${name}`;
};

/** The path in the records of an extended header: "LENGTH path=VALUE\n". */
const extendedPath = (records: string): string | undefined => /(?:^|\n)\d+ path=([^\n]*)/.exec(records)?.[1];

/**
 * Reads a tar archive as it comes, ustar with the long names of GNU and of POSIX. Names that leave the archive's folder
 * are names like any other, since nothing is unpacked.
 *
 * @missing sparse files, which are skipped
 */
export class TarStream {
  private readonly visitor: TarVisitor;
  private block = new Uint8Array(BLOCK);
  private filled = 0;
  /** Bytes left of the current file, and of the padding behind it. */
  private left = 0;
  private padding = 0;
  private use: "visit" | "name" | "records" | "skip" = "skip";
  private kept = "";
  private nextName: string | undefined;
  private over = false;
  /** Offset of the first block that is no header, where the reading stopped. */
  damagedAt: number | undefined;
  private offset = 0;
  private headerAt = 0;

  constructor(visitor: TarVisitor) {
    this.visitor = visitor;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.over; ) {
      const taken =
        this.left > 0
          ? this.content(chunk, at)
          : this.padding > 0
            ? this.skipPadding(chunk, at)
            : this.header(chunk, at);
      at += taken;
      this.offset += taken;
    }
  }

  /** The archive is over. @returns whether it ended where one may end */
  end(): boolean {
    if (this.left > 0 && this.use === "visit") this.visitor.end();
    return this.over
      ? this.damagedAt === undefined
      : this.left === 0 && this.padding === 0 && this.filled === 0;
  }

  private content(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + Math.min(this.left, chunk.length - at));
    if (this.use === "visit") this.visitor.data(part);
    else if (this.use !== "skip" && this.kept.length < LONGEST_NAME)
      for (const byte of part) this.kept += String.fromCharCode(byte);
    this.left -= part.length;
    if (this.left === 0) this.finish();
    return part.length;
  }

  private finish(): void {
    if (this.use === "visit") this.visitor.end();
    else if (this.use === "name") this.nextName = this.kept.replace(/\0.*$/s, "");
    else if (this.use === "records") this.nextName = extendedPath(this.kept) ?? this.nextName;
    this.use = "skip";
    this.kept = "";
  }

  private skipPadding(chunk: Uint8Array, at: number): number {
    const taken = Math.min(this.padding, chunk.length - at);
    this.padding -= taken;
    return taken;
  }

  private header(chunk: Uint8Array, at: number): number {
    const taken = Math.min(BLOCK - this.filled, chunk.length - at);
    if (this.filled === 0) this.headerAt = this.offset;
    this.block.set(chunk.subarray(at, at + taken), this.filled);
    this.filled += taken;
    if (this.filled < BLOCK) return taken;
    this.filled = 0;
    if (this.block.every((byte) => byte === 0)) this.over = true;
    else this.entry();
    return taken;
  }

  private entry(): void {
    const size = sizeOf(this.block);
    if (size === undefined || !isHeader(this.block)) {
      this.over = true;
      this.damagedAt = this.headerAt;
      return;
    }
    const type = String.fromCharCode(this.block[156]!);
    this.left = size;
    this.padding = (BLOCK - (size % BLOCK)) % BLOCK;
    this.kept = "";
    if (type === "L") this.use = "name";
    else if (type === "x") this.use = "records";
    else {
      const name = this.nextName ?? nameOf(this.block);
      this.nextName = undefined;
      const wanted = REGULAR.has(type) && this.visitor.begin(name, size);
      this.use = wanted ? "visit" : "skip";
      if (size === 0 && wanted) this.visitor.end();
      if (size === 0) this.use = "skip";
    }
  }
}
