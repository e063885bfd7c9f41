import { DecodeError } from "../../abi/bytes.ts";
import { COMPRESSIONS, type Compression, compressionOf } from "./compression.ts";
import { decodeSetupHeader, type SetupHeader } from "./setup-header.ts";

/** A bzImage taken apart; nothing is decompressed yet. The arrays are views of the file. */
export interface BzImage {
  readonly header: SetupHeader;
  /** What the header says of the kernel, such as "6.12.117+deb12-cloud-amd64 (maintainer) #1 SMP ..."; "" if nothing. */
  readonly version: string;
  /** The code that a boot loader puts at code32_start: decompressor and payload. */
  readonly protectedMode: Uint8Array;
  readonly payload: {
    /** Bytes from the start of the file. */
    readonly offset: number;
    readonly compression: Compression;
    /** The compressed kernel, without the size that the build appends where the format has none. */
    readonly bytes: Uint8Array;
    /** Bytes when decompressed, as the build wrote it after the payload. */
    readonly size: number;
  };
}

const WHAT = "bzImage";
const SECTOR = 512;
/** A kernel image and what it reserves never take more than this: KERNEL_IMAGE_SIZE, which KASLR is limited to. */
const KERNEL_IMAGE_SIZE = 2 ** 30;

const versionString = (bytes: Uint8Array, header: SetupHeader, setupEnd: number): string => {
  if (header.kernelVersion === 0) return "";
  const start = header.kernelVersion + 0x200;
  const end = bytes.subarray(0, setupEnd).indexOf(0, start);
  if (start >= setupEnd || end < 0)
    throw new DecodeError(WHAT, 0x20e, "a version string that ends in the setup code", `one at ${start}`);
  return String.fromCharCode(...bytes.subarray(start, end));
};

const payloadOf = (header: SetupHeader, protectedMode: Uint8Array, setupEnd: number): BzImage["payload"] => {
  const { payloadOffset, payloadLength, initSize } = header;
  const end = payloadOffset + payloadLength;
  if (end > protectedMode.length || payloadLength < 8) {
    const expected = `a payload inside ${protectedMode.length} bytes of protected-mode code`;
    throw new DecodeError(WHAT, 0x248, expected, `${payloadLength} bytes at ${payloadOffset}`);
  }
  const whole = protectedMode.subarray(payloadOffset, end);
  const offset = setupEnd + payloadOffset;
  const compression = compressionOf(whole);
  if (compression === undefined) {
    const magic = [...whole.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new DecodeError(WHAT, offset, `the magic of ${COMPRESSIONS}`, magic);
  }
  const size = new DataView(whole.buffer, whole.byteOffset).getUint32(payloadLength - 4, true);
  const limit = Math.min(initSize, KERNEL_IMAGE_SIZE);
  if (size > limit)
    throw new DecodeError(WHAT, offset + payloadLength - 4, `a size of at most ${limit}`, `${size}`);
  const bytes = compression === "gzip" ? whole : whole.subarray(0, payloadLength - 4);
  return { offset, compression, bytes, size };
};

/**
 * Takes a bzImage apart. What follows the protected-mode code (a signature) is left alone.
 *
 * @param bytes the file
 * @throws DecodeError at the first field that does not fit the file
 * @source Linux Documentation/arch/x86/boot.rst; scripts/Makefile.lib, size_append
 */
export const decodeBzImage = (bytes: Uint8Array): BzImage => {
  const header = decodeSetupHeader(bytes);
  const setupEnd = ((header.setupSects || 4) + 1) * SECTOR;
  const end = setupEnd + header.syssize * 16;
  if (bytes.length < end)
    throw new DecodeError(WHAT, bytes.length, `${end} bytes in the file`, `${bytes.length}`);
  const protectedMode = bytes.subarray(setupEnd, end);
  return {
    header,
    version: versionString(bytes, header, setupEnd),
    protectedMode,
    payload: payloadOf(header, protectedMode, setupEnd),
  };
};
