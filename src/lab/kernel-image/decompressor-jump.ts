import { DecodeError } from "../../abi/bytes.ts";
import type { BzImage } from "./bzimage.ts";

/** mov %r15,%rsi; jmp *%rax: the decompressor hands boot_params to the kernel. */
const LAST_JUMP = Uint8Array.of(0x4c, 0x89, 0xfe, 0xff, 0xe0);
/** Bytes of the mov, before the jmp. */
const JUMP_IN = 3;
/** mov BP_init_size(%rsi),%ebx; sub $_end,%ebx: startup_64 works out where the decompressor will run. */
const RELOCATION = Uint8Array.of(0x8b, 0x9e, 0x60, 0x02, 0x00, 0x00, 0x81, 0xeb);

/**
 * Where the decompressor's last instruction runs, a guest-physical address: there RAX holds the kernel's physical
 * entry, wherever KASLR has put it, and RSI boot_params.
 *
 * It holds for a loader that puts the image below its preferred address, as QEMU does (1 MiB): the decompressor then
 * counts from the preferred address, and moves itself to the end of init_size.
 *
 * @throws DecodeError if the decompressor is not built as those of Linux 6.1 to 7.3 are
 * @source Linux arch/x86/boot/compressed/head_64.S, startup_64 and .Lrelocated
 */
export const decompressorJump = ({ header, protectedMode, payload }: BzImage): bigint => {
  const code = Buffer.from(protectedMode.buffer, protectedMode.byteOffset, protectedMode.length);
  const payloadEnd = header.payloadOffset + header.payloadLength;
  const relocation = code.subarray(0, header.payloadOffset).indexOf(RELOCATION);
  const jump = code.indexOf(LAST_JUMP, payloadEnd);
  const jumps = jump >= 0 && code.indexOf(LAST_JUMP, jump + 1) < 0 ? 1 : 0;
  if (relocation < 0 || jumps !== 1) {
    const expected = "a decompressor that moves itself by init_size and ends in one mov %r15,%rsi; jmp *%rax";
    throw new DecodeError("bzImage decompressor", payload.offset, expected, "other code");
  }
  const end = code.readUInt32LE(relocation + RELOCATION.length);
  return header.prefAddress + BigInt(header.initSize - end + jump + JUMP_IN);
};
