import { BoundedOutput } from "./bounded-output.ts";

/** Bytes that are handed on at a time. */
const PIECE = 65_536;

/** Packed bytes as the decoder asks for them; their end before that of the data is damage. */
const inputOf = (bytes: Uint8Array) => {
  let at = 0;
  const readByte = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw new Error(`the data ends early, at byte ${bytes.length}`);
    return byte;
  };
  return {
    readByte,
    read: (to: Uint8Array, from: number, length: number): number => {
      for (let i = 0; i < length; i++) to[from + i] = readByte();
      return length;
    },
    eof: (): boolean => false,
    seek: (to: number): void => {
      at = to;
    },
  };
};

/** Decompresses the first stream of .bz2 data of at most `limit` bytes. Throws the decoder's errors as they are. */
export const decompressBzip2 = async (bytes: Uint8Array, limit: number): Promise<Uint8Array> => {
  const { default: bzip2 } = await import("seek-bzip");
  const output = new BoundedOutput(limit);
  const piece = new Uint8Array(PIECE);
  let filled = 0;
  const flush = (): void => {
    output.append(piece.subarray(0, filled));
    filled = 0;
  };
  const writeByte = (byte: number): void => {
    piece[filled++] = byte;
    if (filled === PIECE) flush();
  };
  // The package is older than Buffer.alloc(), and users need not hear of that.
  const { noDeprecation = false } = process;
  process.noDeprecation = true;
  try {
    bzip2.decode(inputOf(bytes), { writeByte });
  } finally {
    process.noDeprecation = noDeprecation;
  }
  flush();
  return output.bytes();
};
