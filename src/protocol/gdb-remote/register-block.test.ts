import fc from "fast-check";
import { expect, it } from "vitest";
import { GdbFormatError } from "./gdb-error.ts";
import { bytesOf, hexOf } from "./hex-text.ts";
import { RegisterBlock, registerBytes, registerValueOf } from "./register-block.ts";
import { includesOf, registerLayoutOf } from "./target-description.ts";

const annexes = (target: string, core = ""): Map<string, string> =>
  new Map([
    ["target.xml", target],
    ["core.xml", core],
  ]);

const TARGET = `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target>
  <architecture>i386:x86-64</architecture><xi:include href="core.xml"/></target>`;
const CORE = `<!-- <reg name="ghost" bitsize="64"/> -->
<feature name="org.gnu.gdb.i386.core">
  <flags id="x64_eflags" size="4"><field name="CF" start="0" end="0"/></flags>
  <reg name="rax" bitsize="64" type="int64" regnum="0"/>
  <reg name="eflags" bitsize="32" type="x64_eflags"/>
  <reg name='st0' bitsize='80' type="i387_ext" regnum="9"/>
  <reg name="xmm0" bitsize="128" regnum="3"/>
</feature>`;

const layout = registerLayoutOf(annexes(TARGET, CORE));

it("the layout follows the numbers, across includes and out of order", () => {
  expect(includesOf(TARGET)).toEqual(["core.xml"]);
  expect(layout.registers).toEqual([
    { name: "rax", number: 0, offset: 0, bytes: 8 },
    { name: "eflags", number: 1, offset: 8, bytes: 4 },
    { name: "xmm0", number: 3, offset: 12, bytes: 16 },
    { name: "st0", number: 9, offset: 28, bytes: 10 },
  ]);
  expect(layout.blockBytes).toBe(38);
});

const BLOCK = Uint8Array.from({ length: 38 }, (_, i) => i + 0xd0);

it("registers are little-endian numbers at their places", () => {
  const block = RegisterBlock.decode(layout, bytesOf(hexOf(BLOCK)));
  expect(block.read("rax")).toBe(0xd7d6_d5d4_d3d2_d1d0n);
  expect(block.low("rax")).toBe(0xd3d2_d1d0);
  expect(block.high("rax")).toBe(0xd7d6_d5d4);
  expect(block.read("eflags")).toBe(0xdbda_d9d8n);
  expect(block.low("eflags")).toBe(0xdbda_d9d8);
  expect(block.high("eflags")).toBe(0);
  expect(block.read("st0")).toBe(0xf5f4_f3f2_f1f0_efee_edecn);
});

it("a register's bytes and value are each other's inverse", () => {
  const place = layout.byName.get("st0");
  if (place === undefined) throw new Error("st0 is in the layout");
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 80n - 1n), (value) => {
      expect(registerValueOf(bytesOf(hexOf(registerBytes(place, value))), place)).toBe(value);
    }),
  );
  expect(() => registerValueOf(bytesOf("00"), place)).toThrow(/register st0: expected 10 bytes, found 1/);
});

it("a block of another length and one with unavailable registers are refused", () => {
  expect(() => RegisterBlock.decode(layout, bytesOf("00"))).toThrow(/expected 76 digits, found 2/);
  expect(() => RegisterBlock.decode(layout, bytesOf("x".repeat(76)))).toThrow(/hexadecimal digits/);
});

it.each([
  ["an annex that was not read", annexes('<xi:include href="gone.xml"/>'), /annex "gone.xml", found none/],
  ["an include of itself", annexes('<xi:include href="target.xml"/>'), /each annex once/],
  ["a register without a name", annexes('<reg bitsize="64"/>'), /expected a name/],
  ["a register without a size", annexes('<reg name="a"/>'), /bitsize of register "a"/],
  ["a register of part of a byte", annexes('<reg name="a" bitsize="7"/>'), /whole bytes, found 7 bits/],
  ["a number beyond the bound", annexes('<reg name="a" bitsize="8" regnum="99999"/>'), /regnum of "a"/],
  ["a name twice", annexes('<reg name="a" bitsize="8"/><reg name="a" bitsize="8"/>'), /each register once/],
  [
    "a number twice",
    annexes('<reg name="a" bitsize="8"/><reg name="b" bitsize="8" regnum="0"/>'),
    /each register once/,
  ],
])("a description with %s is refused", (_what, given, message) => {
  expect(() => registerLayoutOf(given)).toThrow(message);
});

it("any text is a description or refused", () => {
  const piece = fc.constantFrom(
    ...'<reg |name=|"a" |\'b\' |bitsize=|"64" |"80" |regnum=|"1" |/>|>|<xi:include |href="core.xml"|<!--|-->|x'.split(
      "|",
    ),
  );
  const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, text, (target, core) => {
      try {
        const { blockBytes, registers } = registerLayoutOf(annexes(target, core));
        expect(blockBytes).toBe(registers.reduce((sum, { bytes }) => sum + bytes, 0));
      } catch (error) {
        if (!(error instanceof GdbFormatError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
