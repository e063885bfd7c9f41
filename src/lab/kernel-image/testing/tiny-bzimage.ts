import { SETUP_HEADER, type SetupHeader } from "../setup-header.ts";

export const TINY_VERSION = "6.12.0-tiny (a@b) #1";
/** Where the protected-mode code of a tiny bzImage starts: boot sector and one sector of setup. */
export const TINY_SETUP_END = 1024;
/** Where its payload starts, from there. */
export const TINY_PAYLOAD = 64;

const NOTHING = Object.fromEntries(
  Object.entries(SETUP_HEADER.layout).map(([name, [, kind]]) => [name, kind === "u64" ? 0n : 0]),
);

const header = (payload: Uint8Array, changes: Partial<SetupHeader>): Uint8Array => {
  const bytes = new Uint8Array(TINY_SETUP_END);
  const put = { ...NOTHING, ...DEFAULTS, syssize: Math.ceil((TINY_PAYLOAD + payload.length) / 16) };
  const fields: SetupHeader = {
    ...SETUP_HEADER.decode(bytes),
    ...put,
    payloadLength: payload.length,
    ...changes,
  };
  bytes.set(SETUP_HEADER.encode(fields));
  bytes.set(Buffer.from(`${TINY_VERSION}\0`), 0x2a0);
  return bytes;
};

const DEFAULTS = {
  setupSects: 1,
  bootFlag: 0xaa55,
  header: "HdrS",
  version: 0x20f,
  kernelVersion: 0xa0,
  xloadflags: 0x7f,
  payloadOffset: TINY_PAYLOAD,
  prefAddress: 0x100_0000n,
  initSize: 0x20_0000,
};

/**
 * A bzImage around a payload that is already compressed, with its size behind it.
 *
 * @param changes header fields to spoil
 */
export const tinyBzImage = (payload: Uint8Array, changes: Partial<SetupHeader> = {}): Uint8Array => {
  const code = new Uint8Array(Math.ceil((TINY_PAYLOAD + payload.length) / 16) * 16);
  code.set(payload, TINY_PAYLOAD);
  return new Uint8Array(Buffer.concat([header(payload, changes), code]));
};

/** The compressed bytes with the size that the kernel's build appends. */
export const withSize = (compressed: Uint8Array, size: number): Uint8Array => {
  const bytes = new Uint8Array(compressed.length + 4);
  bytes.set(compressed);
  new DataView(bytes.buffer).setUint32(compressed.length, size, true);
  return bytes;
};
