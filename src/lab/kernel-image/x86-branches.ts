/** Whether a byte is the top of a small distance, forward or backward. */
const isTop = (byte: number): boolean => byte === 0x00 || byte === 0xff;

/** By which of the three bytes before were opcodes too: whether the one at hand can be one. */
const MAY_BE_OPCODE = [true, true, true, false, true, false, false, false] as const;
/** By the same: the number of the byte of a distance to look at. */
const BYTE_TO_CHECK = [0, 1, 2, 2, 3, 3, 3, 3] as const;

/** The distance that the filter made an address, when it stands at `at`. */
const distanceOf = (address: number, at: number, mask: number): number => {
  let value = address;
  for (;;) {
    const distance = (value - (at + 5)) | 0;
    if (mask === 0) return distance;
    const shift = BYTE_TO_CHECK[mask]! * 8;
    if (!isTop((distance >>> (24 - shift)) & 0xff)) return distance;
    value = distance ^ (2 ** (32 - shift) - 1);
  }
};

/**
 * Undoes the filter that makes the distances of x86 calls and jumps into addresses before compression, in place.
 *
 * @param code the whole of what was filtered
 * @source the x86 BCJ filter of the .xz file format specification, section 5.3.2
 */
export const restoreX86Branches = (code: Uint8Array): void => {
  const words = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const end = code.length - 4;
  let last = -1;
  let mask = 0;
  for (let at = 0; at < end; at++) {
    if ((code[at]! & 0xfe) !== 0xe8) continue;
    const since = at - last;
    last = at;
    mask = since > 3 ? 0 : (mask << (since - 1)) & 7;
    const blocked = mask !== 0 && (!MAY_BE_OPCODE[mask] || isTop(code[at + 4 - BYTE_TO_CHECK[mask]!]!));
    if (blocked || !isTop(code[at + 4]!)) {
      mask = (mask << 1) | 1;
      continue;
    }
    const distance = distanceOf(words.getInt32(at + 1, true), at, mask) & 0x01ff_ffff;
    words.setInt32(at + 1, distance | -(distance & 0x0100_0000), true);
    at += 4;
    last = at - 4;
  }
};
