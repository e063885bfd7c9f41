import * as zlib from "node:zlib";
import { DecodeError } from "../../abi/bytes.ts";
import { type Compression, compressionOf } from "./compression.ts";
import { decompressLz4Legacy } from "./lz4-legacy.ts";
import { decompressLzmaAlone } from "./lzma-alone.ts";
import { decompressLzop } from "./lzop.ts";

/** Takes compressed bytes and the most bytes that may come out; throws whatever it likes at damaged ones. */
type Decompressor = (bytes: Uint8Array, limit: number) => Uint8Array | Promise<Uint8Array>;

const view = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const ungzip: Decompressor = (bytes, limit) => view(zlib.gunzipSync(bytes, { maxOutputLength: limit }));

/** Node has zstd of its own from 22.15 on; older ones load a WebAssembly build of the reference decoder. */
const unzstd: Decompressor = async (bytes, limit) => {
  if ("zstdDecompressSync" in zlib && typeof zlib.zstdDecompressSync === "function")
    return view(zlib.zstdDecompressSync(bytes, { maxOutputLength: limit }));
  const { ZSTDDecoder } = await import("zstddec");
  const decoder = new ZSTDDecoder();
  await decoder.init();
  return decoder.decode(bytes, limit);
};

const unxz: Decompressor = async (bytes, limit) => (await import("./xz.ts")).decompressXz(bytes, limit);

const unbzip2: Decompressor = async (bytes, limit) =>
  (await import("./bzip2.ts")).decompressBzip2(bytes, limit);

const DECOMPRESS: { readonly [name in Compression]: Decompressor } = {
  gzip: ungzip,
  zstd: unzstd,
  xz: unxz,
  bzip2: unbzip2,
  lz4: decompressLz4Legacy,
  lzma: decompressLzmaAlone,
  lzo: decompressLzop,
};

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Decompresses a kernel's payload or a module.
 *
 * @param what names the bytes in errors
 * @param limit bytes that may come out at most; memory for more is never taken
 * @returns at least one byte
 * @throws DecodeError if the bytes are damaged or hold more than `limit`
 */
export const decompress = async (
  what: string,
  bytes: Uint8Array,
  compression: Compression,
  limit: number,
): Promise<Uint8Array> => {
  try {
    const result = await DECOMPRESS[compression](bytes, limit);
    if (result.length > 0) return result;
  } catch (error) {
    if (error instanceof DecodeError)
      throw new DecodeError(`${what}, ${error.what}`, error.offset, error.expected, error.found);
    throw new DecodeError(what, 0, `${compression} data of at most ${limit} bytes`, reasonOf(error));
  }
  throw new DecodeError(
    what,
    0,
    `${compression} data of at most ${limit} bytes`,
    "damaged data, more data or none",
  );
};

/** As `decompress`, by the magic the bytes begin with; bytes without one are returned as they are. */
export const decompressIfCompressed = async (
  what: string,
  bytes: Uint8Array,
  limit: number,
): Promise<Uint8Array> => {
  const compression = compressionOf(bytes);
  return compression === undefined ? bytes : decompress(what, bytes, compression, limit);
};
