/** What a kernel or a module may be compressed with: Linux's names for them. */
export type Compression = "gzip" | "zstd" | "xz" | "lz4" | "bzip2" | "lzma" | "lzo";

/**
 * First bytes of each. LZ4 is the legacy frame, the one that the kernel's build writes.
 *
 * @source Linux lib/decompress.c, compressed_formats; lzma: properties byte and dictionary size of lzma_alone
 */
const MAGIC: { readonly [name in Compression]: readonly number[] } = {
  gzip: [0x1f, 0x8b],
  bzip2: [0x42, 0x5a, 0x68],
  lzma: [0x5d, 0x00, 0x00],
  xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  lzo: [0x89, 0x4c, 0x5a, 0x4f, 0x00],
  lz4: [0x02, 0x21, 0x4c, 0x18],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
};

/** Those names, for a message. */
export const COMPRESSIONS = Object.keys(MAGIC).join(", ");

/** The compression that these bytes begin with; undefined if none is known. */
export const compressionOf = (bytes: Uint8Array): Compression | undefined => {
  for (const [name, magic] of Object.entries(MAGIC)) {
    if (magic.every((byte, at) => bytes[at] === byte)) return name as Compression;
  }
  return undefined;
};
