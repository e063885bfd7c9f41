import { DecodeError } from "../../abi/bytes.ts";
import { Btf } from "./btf.ts";
import { LayoutError } from "./btf-layout.ts";
import { type BzImage, decodeBzImage } from "./bzimage.ts";
import { decompress } from "./decompress.ts";
import { decodeElf, type Elf, isElf, sectionNamed } from "./elf.ts";
import { bytesAt, bytesBetween } from "./elf-memory.ts";
import { Kallsyms, readKallsyms } from "./kallsyms.ts";

/** A kernel as it lies on disk, read and indexed. Addresses are those it is linked for. */
export interface KernelImage {
  /** Of `uname -r`, such as "6.12.117+deb12-cloud-amd64". */
  readonly release: string;
  /** The boot image; undefined if the file was a plain vmlinux, which QEMU boots only if it has a PVH note. */
  readonly bzImage: BzImage | undefined;
  readonly elf: Elf;
  readonly symbols: Kallsyms;
}

/** The banner is "Linux version RELEASE (builder) ...". */
const RELEASE = /^Linux version (\S+) /;
const BANNER_LENGTH = 512;

const releaseOf = (elf: Elf, symbols: Kallsyms, bzImage: BzImage | undefined): string => {
  const banner = symbols.addressOf("linux_banner");
  const bytes = banner === undefined ? undefined : bytesAt(elf, banner, BANNER_LENGTH);
  const found = bytes === undefined ? undefined : RELEASE.exec(Buffer.from(bytes).toString("latin1"))?.[1];
  return found ?? bzImage?.version.split(" ")[0] ?? "unknown";
};

/**
 * Reads a kernel: a bzImage or a vmlinux.
 *
 * @param file its bytes; the result keeps views of them
 * @throws DecodeError if it is neither, damaged, or has no symbols; NotModelled if its compression is not
 */
export const readKernelImage = async (file: Uint8Array): Promise<KernelImage> => {
  if (file.length === 0)
    throw new DecodeError("kernel image", 0, "a bzImage or an ELF vmlinux", "an empty file");
  const bzImage = isElf(file) ? undefined : decodeBzImage(file);
  const elf = decodeElf(bzImage === undefined ? file : await decompressedPayload(bzImage));
  const symbols = Kallsyms.of(readKallsyms(elf));
  return { release: releaseOf(elf, symbols, bzImage), bzImage, elf, symbols };
};

/** The ELF file inside a bzImage, of exactly the size that the build recorded. */
export const decompressedPayload = async ({ payload }: BzImage): Promise<Uint8Array> => {
  const { bytes, compression, size, offset } = payload;
  const vmlinux = await decompress("bzImage payload", bytes, compression, size);
  if (vmlinux.length === size) return vmlinux;
  throw new DecodeError("bzImage payload", offset, `${size} bytes when decompressed`, `${vmlinux.length}`);
};

/**
 * The types that the kernel tells about itself, by section or, without sections, by symbols.
 *
 * @throws LayoutError if it was built without (CONFIG_DEBUG_INFO_BTF); DecodeError if they are damaged
 */
export const kernelTypes = ({ elf, symbols, release }: KernelImage): Btf => {
  const section = sectionNamed(elf, ".BTF")?.bytes ?? bytesBetween(elf, symbols, "__start_BTF", "__stop_BTF");
  if (section !== undefined) return Btf.decode(section);
  throw new LayoutError(`Linux ${release} tells no structure layouts (CONFIG_DEBUG_INFO_BTF)`);
};
