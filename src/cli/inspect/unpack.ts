import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";

/** What gzip packed. */
export const gunzip = async (packed: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> => {
  const input = Readable.from(packed, { objectMode: false });
  const output = createGunzip();
  // A reader that has enough stops asking, and an error on either side is told to it.
  input.on("error", (error) => output.destroy(error));
  return input.pipe(output);
};

/** What xz packed, as reports of machines are. */
export const unxz = async (packed: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> => {
  const { XzReadableStream } = (await import("xz-decompress")).default;
  return new XzReadableStream(ReadableStream.from(packed));
};

/** Bytes of a file packed with bzip2, which has to be in memory as a whole. */
const LARGEST_BZIP2 = 2 ** 29;

const gathered = async (packed: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of packed) {
    bytes += chunk.length;
    if (bytes > LARGEST_BZIP2) throw new Error(`more than ${LARGEST_BZIP2} bytes packed with bzip2`);
    chunks.push(Uint8Array.from(chunk));
  }
  return Buffer.concat(chunks);
};

/** Packed bytes as the decoder asks for them. It takes the end of the bytes for that of the data: here it is damage. */
class Bzip2Input {
  private at = 0;
  /** Whether the decoder is about to read a block, or has read the end of a stream. */
  private beforeBlock = true;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  readByte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new Error(`the data ends early, at byte ${this.bytes.length}`);
    return byte;
  }

  read(to: Uint8Array, at: number, length: number): number {
    for (let i = 0; i < length; i++) to[at + i] = this.readByte();
    return length;
  }

  /** Asked before each block, and behind the last of a stream, where another one may follow. */
  eof(): boolean {
    this.beforeBlock = !this.beforeBlock;
    return this.beforeBlock && this.at >= this.bytes.length;
  }

  blockRead(): void {
    this.beforeBlock = true;
  }

  seek(at: number): void {
    this.at = at;
  }
}

/** Unpacked bytes of one block. */
class Bzip2Output {
  private bytes = new Uint8Array(2 ** 20);
  private length = 0;

  writeByte(byte: number): void {
    if (this.length === this.bytes.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.length++] = byte;
  }

  get written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

/** Blocks one by one: a block of some forty bytes may unfold to 46 MB, but not to more. */
async function* bzip2Blocks(packed: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  const { default: bzip2 } = await import("seek-bzip");
  const bytes = await gathered(packed);
  const blocks: number[] = [];
  let unfolded = 0;
  let damage: unknown;
  const input = new Bzip2Input(bytes);
  const tell = (bit: number, size: number): void => {
    input.blockRead();
    blocks.push(bit);
    unfolded += size;
    if (unfolded > limit) throw new Error("the limit is reached");
  };
  // The package is older than Buffer.alloc(), and users need not hear of that.
  const { noDeprecation = false } = process;
  process.noDeprecation = true;
  try {
    bzip2.table(input, tell, true);
  } catch (error) {
    damage = error;
  } finally {
    process.noDeprecation = noDeprecation;
  }
  for (const bit of blocks) {
    const output = new Bzip2Output();
    bzip2.decodeBlock(new Bzip2Input(bytes), bit, output);
    yield output.written;
  }
  if (damage !== undefined) throw damage;
}

/** What bzip2 packed, up to the block with which it exceeds `limit` bytes. */
export const unbzip2 = async (
  packed: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<AsyncIterable<Uint8Array>> => bzip2Blocks(packed, limit);

/** A few bytes may stand for a block of 128 KiB, so they are unpacked piece by piece. */
const ZSTD_PIECE = 1024;

async function* zstdPieces(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import("fzstd");
  const unpacked: Uint8Array[] = [];
  const stream = new Decompress((bytes) => unpacked.push(Uint8Array.from(bytes)));
  for await (const chunk of packed) {
    for (let at = 0; at < chunk.length; at += ZSTD_PIECE) {
      stream.push(chunk.subarray(at, at + ZSTD_PIECE));
      yield* unpacked.splice(0);
    }
  }
  stream.push(new Uint8Array(), true);
  yield* unpacked;
}

/** What zstd packed. */
export const unzstd = async (packed: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> =>
  zstdPieces(packed);
