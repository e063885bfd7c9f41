import type { OrcEntry, OrcRegister } from "../orc.ts";

/** .orc_header of Linux 6.4 to 6.16, and of 7.3. */
export const ORC_HEADER = {
  "6.12": Buffer.from("fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24", "hex"),
  "7.3": Buffer.from("137c36ad7627c4dd55932176bb0ecdbd5041fc82", "hex"),
} as const;

/** Numbers of the registers, from the two releases' headers. */
const NUMBER: { readonly [release in keyof typeof ORC_HEADER]: Partial<Record<OrcRegister, number>> } = {
  "6.12": { PREV_SP: 1, DX: 2, DI: 3, BP: 4, SP: 5, R10: 6, R13: 7, BP_INDIRECT: 8, SP_INDIRECT: 9 },
  "7.3": { AX: 1, DX: 2, SP: 3, BP: 4, DI: 5, R10: 6, R13: 7, PREV_SP: 8, SP_INDIRECT: 9, BP_INDIRECT: 10 },
};

/** An entry and where its instructions start. */
export type TinyOrc = Partial<OrcEntry> & { readonly at: bigint };

/** .orc_unwind_ip at an address, and .orc_unwind. */
export const encodeOrc = (
  entries: readonly TinyOrc[],
  address: bigint,
  release: keyof typeof ORC_HEADER = "6.12",
): { places: Uint8Array; entries: Uint8Array } => {
  const places = new DataView(new ArrayBuffer(4 * entries.length));
  const words = new DataView(new ArrayBuffer(6 * entries.length));
  entries.forEach(({ at, spOffset = 0, bpOffset = 0, spReg, bpReg, type = 2, signal = false }, n) => {
    places.setInt32(4 * n, Number(at - address) - 4 * n, true);
    words.setInt16(6 * n, spOffset, true);
    words.setInt16(6 * n + 2, bpOffset, true);
    const number = (register: OrcRegister = "UNDEFINED"): number => NUMBER[release][register] ?? 0;
    words.setUint16(
      6 * n + 4,
      number(spReg) | (number(bpReg) << 4) | (type << 8) | (Number(signal) << 11),
      true,
    );
  });
  return { places: new Uint8Array(places.buffer), entries: new Uint8Array(words.buffer) };
};
