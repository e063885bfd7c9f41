import { BoundedOutput } from "./bounded-output.ts";

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

/** Decompresses a whole .xz file of at most `limit` bytes. Throws the decoder's errors as they are. */
export const decompressXz = async (bytes: Uint8Array, limit: number): Promise<Uint8Array> => {
  const { XzReadableStream } = (await import("xz-decompress")).default;
  const output = new BoundedOutput(limit);
  for await (const chunk of new XzReadableStream(streamOf(bytes))) output.append(chunk);
  return output.bytes();
};
