import { assert } from "../../assert.ts";
import { GdbFormatError, shown } from "./gdb-error.ts";
import { bytesOfHex } from "./hex-text.ts";
import type { RegisterLayout, RegisterPlace } from "./target-description.ts";

/** The unsigned little-endian number that `length` bytes at `at` hold. */
const bigAt = (bytes: Uint8Array, at: number, length: number): bigint => {
  let value = 0n;
  for (let i = length; i > 0; i -= Math.min(i, 4)) {
    const first = at + Math.max(0, i - 4);
    let part = 0;
    for (let k = at + i - 1; k >= first; k--) part = part * 256 + bytes[k]!;
    value = (value << BigInt(8 * Math.min(i, 4))) | BigInt(part);
  }
  return value;
};

const bytesOfBig = (value: bigint, length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  let rest = value;
  for (let i = 0; i < length; i++) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
};

/** The bytes of a register's value in the order of `P`. Bits above the register's width are cut off. */
export const registerBytes = (place: RegisterPlace, value: bigint): Uint8Array =>
  bytesOfBig(BigInt.asUintN(8 * place.bytes, value), place.bytes);

/** @throws GdbFormatError unless the payload is the digit pairs of that register */
export const registerValueOf = (payload: Uint8Array, place: RegisterPlace): bigint => {
  const bytes = bytesOfHex(payload, `register ${place.name}`);
  if (bytes.length === place.bytes) return bigAt(bytes, 0, bytes.length);
  throw new GdbFormatError(`register ${place.name}`, `${place.bytes} bytes`, `${bytes.length}`);
};

/** All registers of one vCPU as `g` gave them. */
export class RegisterBlock {
  readonly layout: RegisterLayout;
  readonly bytes: Uint8Array;

  constructor(layout: RegisterLayout, bytes: Uint8Array) {
    assert(bytes.length === layout.blockBytes, "a register block has the bytes of its layout");
    this.layout = layout;
    this.bytes = bytes;
  }

  /**
   * @param payload answer to `g`
   * @throws GdbFormatError if it has not the length that the description gives, or a register is unavailable
   */
  static decode(layout: RegisterLayout, payload: Uint8Array): RegisterBlock {
    const digits = 2 * layout.blockBytes;
    if (payload.length !== digits) {
      throw new GdbFormatError("register block", `${digits} digits`, `${payload.length}: ${shown(payload)}`);
    }
    return new RegisterBlock(layout, bytesOfHex(payload, "register block"));
  }

  /** Unsigned value of a register that the layout has. */
  read(name: string): bigint {
    const { offset, bytes } = this.place(name);
    return bigAt(this.bytes, offset, bytes);
  }

  /** Bits 31:0, without making a bigint. */
  low(name: string): number {
    const { offset, bytes } = this.place(name);
    let value = 0;
    for (let i = Math.min(bytes, 4) - 1; i >= 0; i--) value = value * 256 + this.bytes[offset + i]!;
    return value;
  }

  /** Bits 63:32, without making a bigint; zero for a register of 32 bits. */
  high(name: string): number {
    const { offset, bytes } = this.place(name);
    let value = 0;
    for (let i = Math.min(bytes, 8) - 1; i >= 4; i--) value = value * 256 + this.bytes[offset + i]!;
    return value;
  }

  /** The same block with some registers changed, each of which the layout has. */
  with(values: { readonly [name: string]: bigint }): RegisterBlock {
    const bytes = this.bytes.slice();
    for (const [name, value] of Object.entries(values)) {
      const place = this.place(name);
      bytes.set(registerBytes(place, value), place.offset);
    }
    return new RegisterBlock(this.layout, bytes);
  }

  private place(name: string): RegisterPlace {
    const place = this.layout.byName.get(name);
    assert(place !== undefined, () => `the target has a register ${name}`);
    return place;
  }
}
