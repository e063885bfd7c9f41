import { gunzip, unbzip2, unxz, unzstd } from "./unpack.ts";

type Unpack = (packed: AsyncIterable<Uint8Array>, limit: number) => Promise<AsyncIterable<Uint8Array>>;

/** A way to pack bytes, by what its data begin with. */
export interface Packing {
  readonly magic: readonly number[];
  readonly name: string;
  readonly unpack: Unpack;
}

const PACKINGS: readonly Packing[] = [
  { magic: [0x1f, 0x8b], name: "gzip", unpack: gunzip },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], name: "xz", unpack: unxz },
  { magic: [0x42, 0x5a, 0x68], name: "bzip2", unpack: unbzip2 },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], name: "zstd", unpack: unzstd },
];

export const packingOf = (head: Uint8Array): Packing | undefined =>
  PACKINGS.find(({ magic }) => magic.every((byte, i) => head[i] === byte));

export const isTar = (head: Uint8Array): boolean =>
  head.length >= TAR_BLOCK && Buffer.from(head.subarray(257, 262)).toString("latin1") === "ustar";

const TAR_BLOCK = 512;

/** The same bytes, with a first chunk that is long enough to tell what they are, unless they are too few. */
export async function* headFirst(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] | undefined = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    if (pieces === undefined) {
      yield chunk;
      continue;
    }
    pieces.push(chunk);
    bytes += chunk.length;
    if (bytes < TAR_BLOCK) continue;
    yield pieces.length === 1 ? chunk : Buffer.concat(pieces);
    pieces = undefined;
  }
  if (bytes > 0 && pieces !== undefined) yield Buffer.concat(pieces);
}

/** Bytes of a packed file inside an archive, and of all of them, that are held until their turn comes. */
const LARGEST_MEMBER = 2 ** 26;
const MOST_HELD = 2 ** 28;

/** Archives inside archives that are opened. */
const DEEPEST = 3;

/** Why a packed file inside an archive is not unpacked: what was expected of it; undefined if it is. */
export const refusalOf = (
  aside: Uint8Array | "large",
  inner: readonly Inner[],
  depth: number,
): string | undefined => {
  if (depth >= DEEPEST) return `at most ${DEEPEST} archives around a file`;
  const held = inner.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const isTooLarge = aside === "large" || held + aside.length > MOST_HELD;
  return isTooLarge ? "packed files of at most 64M each and 256M in all inside an archive" : undefined;
};

/** A packed file, or an archive, inside an archive. */
export interface Inner {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Takes one file of an archive. What is packed is set aside, to be unpacked when the archive has been read; anything
 * else is read as it comes.
 */
export class MemberBytes {
  private pieces: Uint8Array[] = [];
  private length = 0;
  private mode: "head" | "aside" | "read" = "head";
  private readonly read: (bytes: Uint8Array) => void;

  constructor(read: (bytes: Uint8Array) => void) {
    this.read = read;
  }

  push(bytes: Uint8Array): void {
    // The archive's buffer is used again.
    const own = Uint8Array.from(bytes);
    this.length += own.length;
    if (this.mode === "read") {
      this.read(own);
      return;
    }
    if (this.mode === "head" || this.length <= LARGEST_MEMBER) this.pieces.push(own);
    if (this.mode === "head" && this.length >= TAR_BLOCK) this.decide();
  }

  /** @returns the bytes that were set aside; undefined if they were read; "large" if they were too many */
  end(): Uint8Array | "large" | undefined {
    if (this.mode === "head") this.decide();
    if (this.mode === "read") return undefined;
    return this.length > LARGEST_MEMBER ? "large" : Buffer.concat(this.pieces);
  }

  private decide(): void {
    const head = Buffer.concat(this.pieces);
    this.mode = packingOf(head) !== undefined || isTar(head) ? "aside" : "read";
    if (this.mode === "aside") return;
    for (const piece of this.pieces) this.read(piece);
    this.pieces = [];
  }
}
