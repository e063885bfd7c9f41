import fc from "fast-check";
import { expect, it } from "vitest";
import { R10, R11, R12, R13, RAX, RCX, setBig } from "../abi/tdx/regs.ts";
import { EXIT_REASON } from "../abi/tdx/td-exit.ts";
import { MIB } from "../units.ts";
import { plugDimm } from "./dimm.ts";
import { handleExit } from "./faults.ts";
import { DEAD, DONE } from "./procedures.ts";
import { handleRequest } from "./requests.ts";
import { Bench } from "./testing/bench.ts";

const bench = (): Bench =>
  new Bench({
    virtioMem: [{ id: "vm0", size: 32 * MIB, requestedSize: 16 * MIB }],
    backends: [{ id: "m1", size: 4 * MIB }],
    policy: { discard: "both" },
  });

it("answers any 24 bytes with a response of the specification, or with silence", () => {
  const request = fc.uint8Array({ minLength: 24, maxLength: 24 });
  const sane = request.map((bytes) => {
    bytes.fill(0, 1, 8);
    bytes[0]! %= 5;
    return bytes;
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(request, sane), { maxLength: 8 }), (requests) => {
      const b = bench();
      const mailbox = b.vmm.mailboxes[0]!;
      for (const bytes of requests) {
        mailbox.post(bytes);
        expect(b.run(handleRequest, 0)).toBe(DONE);
        const response = mailbox.response();
        if (response === -1) mailbox.reset();
        else expect([0, 1, 2, 3, 0x100, 0x200]).toContain(response);
        expect(b.vmm.devices[0]!.pluggedSize).toBeLessThanOrEqual(16 * MIB);
      }
    }),
  );
});

it("answers any TDVMCALL with a status of the interface, and reaches no address it should not", () => {
  const word = fc.oneof(
    fc.bigInt(0n, 2n ** 64n - 1n),
    fc.bigInt(0n, 2n ** 52n),
    fc.constantFrom(0n, 4096n, 2n ** 51n),
  );
  const range = fc.record({
    r10: fc.oneof(fc.constant(0n), word),
    r11: fc.oneof({ weight: 4, arbitrary: fc.constant(0x10001n) }, { weight: 1, arbitrary: word }),
    r12: word,
    r13: fc.oneof(fc.bigInt(0n, 2n ** 26n), fc.bigInt(2n ** 53n, 2n ** 64n - 1n)),
  });
  const statuses = [0n, 1n, 2n ** 63n, 2n ** 63n + 2n, 2n ** 63n + 3n];
  fc.assert(
    fc.property(range, ({ r10, r11, r12, r13 }) => {
      const b = bench();
      const regs = b.regs[0]!;
      for (const [register, value] of [
        [RAX, BigInt(EXIT_REASON.TDCALL)],
        [RCX, 0x3c00n],
        [R10, r10],
        [R11, r11],
        [R12, r12],
        [R13, r13],
      ] as const) {
        setBig(regs, register, value);
      }
      const result = b.run(handleExit, 0);
      if (result === DEAD) return;
      expect(statuses).toContain((BigInt(regs[2 * R10 + 1]!) << 32n) + BigInt(regs[2 * R10]!));
    }),
  );
});

it("takes any access to the register block", () => {
  const access = fc.record({
    offset: fc.oneof(fc.constantFrom(0, 4, 8, 0xc, 0x10, 0x14), fc.nat(0xff)),
    width: fc.constantFrom(1 as const, 2 as const, 4 as const),
    value: fc.oneof(
      fc.nat(15),
      fc.nat({ max: 2 ** 31 - 1 }).map((n) => n * 2 + 1),
    ),
    write: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(access, { maxLength: 30 }), (accesses) => {
      const b = bench();
      plugDimm(b.vmm, { memdev: "m1" }, true);
      for (const { offset, width, value, write } of accesses) {
        if (write) b.vmm.registers.write(offset, width, value);
        const read = b.vmm.registers.read(offset, width);
        expect(0 <= read && read < 2 ** (8 * width)).toBe(true);
      }
    }),
  );
});
