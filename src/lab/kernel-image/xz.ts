import { crc32 } from "node:zlib";
import { BoundedOutput } from "./bounded-output.ts";
import { restoreX86Branches } from "./x86-branches.ts";
import { withoutX86Filter } from "./xz-container.ts";

const CHUNK = 65_536;

/** A stream of the bytes in pieces that the decoder takes. */
const streamOf = (bytes: Uint8Array): ReadableStream<Uint8Array> => {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + CHUNK));
      at += CHUNK;
    },
  });
};

const decode = async (bytes: Uint8Array, limit: number): Promise<Uint8Array> => {
  const { XzReadableStream } = (await import("xz-decompress")).default;
  const output = new BoundedOutput(limit);
  for await (const chunk of new XzReadableStream(streamOf(bytes))) output.append(chunk);
  return output.bytes();
};

/**
 * Decompresses a whole .xz file of at most `limit` bytes. Throws the decoder's errors as they are.
 *
 * The decoder knows no filters besides LZMA2; the one for x86 code, which kernels are compressed with, is undone here.
 */
export const decompressXz = async (bytes: Uint8Array, limit: number): Promise<Uint8Array> => {
  const unfiltered = withoutX86Filter(bytes);
  if (unfiltered === undefined) return decode(bytes, limit);
  const code = await decode(unfiltered.bytes, limit);
  restoreX86Branches(code);
  if (unfiltered.crc === undefined || crc32(code) === unfiltered.crc) return code;
  throw new Error("its checksum is wrong");
};
