const ELF64_LITTLE_ENDIAN = [0x7f, 0x45, 0x4c, 0x46, 2, 1];
const EM_X86_64 = 62;
const PT_INTERP = 3;
const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;

/** True for an x86-64 program that needs no interpreter, hence no libraries. */
export const isStaticX86 = (bytes: Uint8Array): boolean => {
  if (bytes.length < HEADER_BYTES || !ELF64_LITTLE_ENDIAN.every((byte, at) => bytes[at] === byte))
    return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const table = Number(view.getBigUint64(32, true));
  const size = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  const isWhole = size >= PROGRAM_HEADER_BYTES && count > 0 && table + size * count <= bytes.length;
  if (view.getUint16(18, true) !== EM_X86_64 || !isWhole) return false;
  const types = Array.from({ length: count }, (_, index) => view.getUint32(table + index * size, true));
  return !types.includes(PT_INTERP);
};
