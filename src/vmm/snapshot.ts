import { assert } from "../assert.ts";
import { type Flat, type FlatRange, flatSize, loadFlat, saveFlat } from "../flat/flat-range.ts";
import type { Vmm } from "./vmm.ts";

type Words = Uint8Array | Uint32Array | Int32Array | Float64Array;

/** Arrays of fixed length as one part of a snapshot. */
const fixed = (...arrays: readonly Words[]): Flat => {
  const bytes: FlatRange[] = arrays.map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  return { flat: () => bytes, reserve: () => {} };
};

/** Every part of a VMM's state. Backends that are declared while it runs are parts too. */
const partsOf = (k: Vmm): Flat[] => [
  k.host,
  fixed(k.use.words, k.life.words, k.zaps.words, k.map.rows),
  fixed(k.dimms.rows, k.registers.words, k.injection.words, k.kicks, k.unresolved, k.gpe),
  ...k.devices.map((device) => fixed(device.words, device.plugged, device.injection.words)),
  ...k.mailboxes.map((mailbox) => fixed(mailbox.bytes)),
  ...k.pieces.flatMap((piece) => [fixed(piece.block, piece.flags), ...piece.sets()]),
];

/** A copy of a VMM's whole state. The stacks of its tasks belong to whoever runs them. */
export const saveVmm = (k: Vmm): Uint8Array => {
  const parts = partsOf(k);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + flatSize(part), 0));
  parts.reduce((at, part) => saveFlat(part, bytes, at), 0);
  return bytes;
};

/** Restores what `saveVmm` copied from a VMM of the same configuration with the same backends. */
export const loadVmm = (k: Vmm, from: Uint8Array): void => {
  const end = partsOf(k).reduce((at, part) => loadFlat(part, from, at), 0);
  assert(end === from.length, "a snapshot fits the VMM it is loaded into");
  k.changedUnits.clear();
};
