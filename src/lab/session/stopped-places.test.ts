import { expect, it } from "vitest";
import { NotModelled } from "../../not-modelled.ts";
import { Btf } from "../kernel-image/btf.ts";
import { OrcTable } from "../kernel-image/orc.ts";
import { SortedSymbols } from "../kernel-image/sorted-symbols.ts";
import { encodeBtf } from "../kernel-image/testing/btf-encoding.ts";
import { encodeOrc, ORC_HEADER } from "../kernel-image/testing/orc-encoding.ts";
import { LabError } from "../lab-error.ts";
import { StoppedPlaces } from "./stopped-places.ts";

const BASE = 0xffff_ffff_8100_0000n;
const SLIDE = 0x1200_0000n;
const STACK = 0xffff_c900_0000_0000n;
const ORC_PLACES = BASE + 0x9000n;

const symbols = new SortedSymbols([
  { name: "_text", address: BASE },
  { name: "clear_page", address: BASE + 0x100n },
  { name: "do_anonymous_page", address: BASE + 0x200n },
  { name: "asm_exc_page_fault", address: BASE + 0x300n },
  { name: "_end", address: BASE + 0xa000n },
]);

const { places, entries } = encodeOrc(
  [
    { at: BASE + 0x100n, spReg: "SP", spOffset: 8 },
    { at: BASE + 0x200n, spReg: "SP", spOffset: 16 },
    { at: BASE + 0x300n, type: 1 },
  ],
  ORC_PLACES,
);
const table = OrcTable.decode(places, ORC_PLACES, entries, ORC_HEADER["6.12"]);

const kernel = {
  base: BASE,
  symbols,
  symbol: (name: string) => symbols.addressOf(name),
  types: () => Btf.decode(encodeBtf([])),
  unwindTable: (): OrcTable | undefined => table,
};

/** clear_page has its return address on top; do_anonymous_page a word of its own below it. */
const WORDS = [BASE + SLIDE + 0x250n, 0n, BASE + SLIDE + 0x326n];
const read = async (address: bigint, length: number): Promise<Uint8Array> => {
  const at = Number(address - STACK);
  const bytes = new Uint8Array(BigUint64Array.from(WORDS).buffer);
  if (at < 0 || at + length > bytes.length) throw new LabError("no memory there");
  return bytes.slice(at, at + length);
};
const RIP = BASE + SLIDE + 0x115n;
const registers = { read: (name: string) => (name === "rip" ? RIP : name === "rsp" ? STACK : 0n) };

it("names a place in a moved kernel and its callers, innermost first", async () => {
  expect(await new StoppedPlaces(kernel, SLIDE).of(registers, read)).toEqual({
    rip: RIP,
    symbol: "clear_page+0x15",
    backtrace: ["do_anonymous_page+0x50", "asm_exc_page_fault+0x26"],
  });
});

it("names the place alone where the kernel has no unwind table that is known", async () => {
  const lacking = [
    () => undefined,
    () => {
      throw new NotModelled("ORC entries of the form 00");
    },
  ];
  for (const unwindTable of lacking) {
    const place = await new StoppedPlaces({ ...kernel, unwindTable }, SLIDE).of(registers, read);
    expect(place).toEqual({ rip: RIP, symbol: "clear_page+0x15", backtrace: [] });
  }
});

it("gives the bare address of code that belongs to nobody", async () => {
  const far = { read: (name: string) => (name === "rip" ? 0xffff_ffff_ff00_1234n : 0n) };
  expect(await new StoppedPlaces(kernel, SLIDE).of(far, read)).toEqual({
    rip: 0xffff_ffff_ff00_1234n,
    symbol: "0xffffffffff001234",
    backtrace: [],
  });
});

it("does without the modules where their list cannot be read", async () => {
  const listed = { ...kernel, symbol: (name: string) => symbols.addressOf(name) ?? STACK };
  const place = await new StoppedPlaces(listed, 0n).of(registers, async () => {
    throw new LabError("no memory there");
  });
  expect(place.backtrace).toEqual([]);
});
