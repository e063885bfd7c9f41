import fc from "fast-check";
import { expect, it } from "vitest";
import { kexecProgram } from "../agent/kexec-program.ts";
import { isStaticX86 } from "./static-elf.ts";

it("a program of one loaded segment is static; with an interpreter, or for another machine, it will not do", () => {
  const program = kexecProgram();
  expect(isStaticX86(program)).toBe(true);
  const dynamic = Uint8Array.from(program);
  dynamic[64] = 3; // p_type: PT_INTERP
  expect(isStaticX86(dynamic)).toBe(false);
  const arm = Uint8Array.from(program);
  arm[18] = 183; // e_machine: EM_AARCH64
  expect(isStaticX86(arm)).toBe(false);
});

it("any bytes are judged", () => {
  const program = kexecProgram();
  const damaged = fc.tuple(fc.nat(119), fc.integer({ min: 0, max: 255 }), fc.nat(program.length));
  fc.assert(
    fc.property(damaged, ([at, byte, end]) => {
      const bytes = Uint8Array.from(program);
      bytes[at] = byte;
      expect(typeof isStaticX86(bytes.subarray(0, end))).toBe("boolean");
    }),
  );
  expect(isStaticX86(new Uint8Array())).toBe(false);
});
