import { GdbFormatError, shown } from "./gdb-error.ts";
import { bytesOfHex, numberOfHex, textOf } from "./hex-text.ts";
import { type ThreadId, threadIdOf } from "./thread-id.ts";

/** What a request is answered with when it is not done. */
export type Refusal =
  /** `E NN`: two digits whose meaning is the stub's own. QEMU writes errno in decimal: 14 EFAULT, 22 EINVAL. */
  | { readonly kind: "error"; readonly digits: string }
  /** An empty packet: the stub does not know the request. */
  | { readonly kind: "unknown" };

const UNKNOWN: Refusal = { kind: "unknown" };

/** `E22` and the like, or an empty packet; undefined for every other payload. */
export const refusalOf = (payload: Uint8Array): Refusal | undefined => {
  if (payload.length === 0) return UNKNOWN;
  if (payload[0] !== 0x45 || payload.length !== 3) return undefined;
  const text = textOf(payload);
  return /^E[0-9a-fA-F]{2}$/.test(text) ? { kind: "error", digits: text.slice(1) } : undefined;
};

/** @throws GdbFormatError unless the payload is `OK` */
export const checkOk = (payload: Uint8Array): void => {
  if (textOf(payload.subarray(0, 3)) !== "OK") throw new GdbFormatError("gdb reply", '"OK"', shown(payload));
};

/** The stub's features by name: true for `name+`, false for `name-` and `name?`, text for `name=text`. */
export type Features = ReadonlyMap<string, string | boolean>;

/** @throws GdbFormatError if a feature is not of one of the three forms */
export const featuresOf = (payload: Uint8Array): Features => {
  const features = new Map<string, string | boolean>();
  const text = textOf(payload);
  for (const part of text === "" ? [] : text.split(";")) {
    const match = /^([^=+?-][^=]*?)(?:=(.*)|([-+?]))$/s.exec(part);
    if (match === null) throw new GdbFormatError("gdb features", "name+, name- or name=value", shown(part));
    features.set(match[1]!, match[2] ?? match[3] === "+");
  }
  return features;
};

/** Bytes of a packet by protocol where a stub names no PacketSize. @source GDB remote.c, the least it assumes */
const LEAST_PACKET = 400;
const MOST_PACKET = 1 << 20;

/** The stub's PacketSize in bytes. @throws GdbFormatError if it is no size that carries anything */
export const packetSizeOf = (features: Features): number => {
  const value = features.get("PacketSize");
  if (value === undefined) return LEAST_PACKET;
  const size = numberOfHex(String(value), "gdb PacketSize");
  if (size < 64 || size > MOST_PACKET)
    throw new GdbFormatError("gdb PacketSize", `64 to ${MOST_PACKET}`, `${size}`);
  return size;
};

/** One piece of a `qXfer` object. */
export interface TransferPiece {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** @throws GdbFormatError unless the payload begins with `m` (more to come) or `l` (last) */
export const transferPieceOf = (payload: Uint8Array): TransferPiece => {
  const letter = payload[0];
  if (letter !== 0x6d && letter !== 0x6c) {
    throw new GdbFormatError("gdb transfer", '"m" or "l" and data', shown(payload));
  }
  return { bytes: payload.subarray(1), last: letter === 0x6c };
};

/** Threads of one `qfThreadInfo` or `qsThreadInfo` answer; undefined at the end of the list (`l`). */
export const threadsOf = (payload: Uint8Array): ThreadId[] | undefined => {
  const text = textOf(payload);
  if (text === "l") return undefined;
  if (text[0] !== "m") throw new GdbFormatError("gdb threads", '"m" and ids, or "l"', shown(payload));
  return text.slice(1).split(",").map(threadIdOf);
};

/** @throws GdbFormatError unless the payload is exactly `length` bytes as digit pairs */
export const memoryOf = (payload: Uint8Array, length: number): Uint8Array => {
  const bytes = bytesOfHex(payload, "gdb memory");
  if (bytes.length === length) return bytes;
  throw new GdbFormatError("gdb memory", `${length} bytes`, `${bytes.length}`);
};
