import type { Machine } from "../machine.ts";

/** FNV-1a over 32-bit words, then what is left of bytes. */
const hashOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string => {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let hash = 0x811c9dc5;
  const mix = (value: number): void => {
    hash = Math.imul(hash ^ value, 0x01000193);
  };
  const words = byteOffset % 4 === 0 ? byteLength >> 2 : 0;
  for (const word of new Uint32Array(buffer, words === 0 ? 0 : byteOffset, words)) mix(word);
  for (const byte of bytes.subarray(words * 4)) mix(byte);
  return `${byteLength} bytes ${(hash >>> 0).toString(16)}`;
};

/**
 * Everything that a walk from the machine meets, as path and value: flat memory by its hash. It is written without the
 * snapshot's own walk, so that the one can be held against the other. The trace only tells of the machine.
 */
export const deepState = (machine: Machine): Map<string, string> => {
  const state = new Map<string, string>();
  const seen = new Map<object, string>([[machine.trace, "trace"]]);
  const visit = (path: string, value: unknown): void => {
    if (typeof value === "function") return;
    if (typeof value !== "object" || value === null) {
      state.set(path, String(value));
      return;
    }
    const known = seen.get(value);
    state.set(path, known === undefined ? value.constructor.name : `the one at ${known}`);
    if (known !== undefined) return;
    seen.set(value, path);
    if (ArrayBuffer.isView(value)) state.set(path, hashOf(value));
    else if (value instanceof Map) {
      state.set(`${path}.size`, String(value.size));
      [...value].forEach(([key, one], place) => {
        visit(`${path}.key${place}`, key);
        visit(`${path}.value${place}`, one);
      });
    } else if (value instanceof Set) state.set(path, [...value].map(String).join());
    else for (const [key, one] of Object.entries(value)) visit(`${path}.${key}`, one);
  };
  visit("machine", machine);
  return state;
};

/** Paths at which two deep states differ, with both values. */
export const differences = (before: Map<string, string>, after: Map<string, string>): string[] => {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths]
    .filter((path) => before.get(path) !== after.get(path))
    .map((path) => `${path}: ${before.get(path)}, then ${after.get(path)}`);
};
