import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  GHCB_MSR_CODE,
  GHCB_PAGE,
  NPF_HI,
  PSC_BUFFER,
  PSC_ENTRY_BYTES,
  SVM_EXIT,
  VMGEXIT_PSC,
} from "../../abi/snp/ghcb.ts";
import { NotModelled } from "../../not-modelled.ts";
import { pvalidate } from "../../snp/pvalidate.ts";
import { Rmp } from "../../snp/rmp.ts";
import { SnpGuest } from "../../snp/snp-guest.ts";
import { MIB } from "../../units.ts";
import { VM_END } from "../events.ts";
import type { VmmPolicy } from "../policy.ts";
import { DEAD, DONE, UNRESOLVED } from "../procedures.ts";
import { Bench } from "../testing/bench.ts";
import { handleSnpExit } from "./snp-exit.ts";
import type { RmpFaults } from "./snp-host.ts";

const UNIT = 2 * MIB;
const PAGE = 4096;
const [FREE, MAPPED, PENDING] = [0, 3, 5];
const [PRIVATE, SHARED] = [1, 2];
const LARGE = 1n << 56n;

/** A guest of 16 MiB whose pages come from 256 MiB of host memory. */
const rig = (policy: Partial<VmmPolicy> = {}, rmpFaults?: RmpFaults) => {
  const guest = new SnpGuest(new Rmp(1024 * MIB, 256 * MIB), 5, 2);
  const bench = new Bench({ snp: guest, policy, ...(rmpFaults === undefined ? {} : { rmpFaults }) });
  const ghcb = new DataView(guest.ghcbs[0]!.buffer, guest.ghcbs[0]!.byteOffset, GHCB_PAGE.BYTES);
  const BUFFER = GHCB_PAGE.SHARED_BUFFER;
  const exit = (code: number, low = 0, high = 0, gpa = 0): number => {
    guest.leave(0, code, low, high, gpa);
    return bench.run(handleSnpExit, 0);
  };
  return {
    guest,
    bench,
    ghcb,
    exit,
    touch: (gpa: number): number => exit(SVM_EXIT.NPF, 6, NPF_HI.FINAL | NPF_HI.ENCRYPTED, gpa),
    stateOf: (gpa: number): number => {
      guest.npt.walk(gpa, 0, 0);
      return guest.npt.stateHere;
    },
    entry: (gpa: number, operation: number, more = 0n): bigint =>
      BigInt(gpa) | (BigInt(operation) << 52n) | more,
    /** A page state change by buffer. @returns the outcome, the current entry, and SW_EXITINFO2 */
    psc: (entries: readonly bigint[], current = 0, end = entries.length - 1) => {
      guest.msrs.set([0, 0]);
      ghcb.setUint32(GHCB_PAGE.EXIT_CODE, VMGEXIT_PSC, true);
      ghcb.setUint16(BUFFER + PSC_BUFFER.CURRENT, current, true);
      ghcb.setUint16(BUFFER + PSC_BUFFER.END, end, true);
      entries.forEach((raw, i) => {
        ghcb.setBigUint64(BUFFER + PSC_BUFFER.ENTRIES + i * PSC_ENTRY_BYTES, raw, true);
      });
      const outcome = exit(SVM_EXIT.VMGEXIT);
      const error = ghcb.getBigUint64(GHCB_PAGE.EXIT_INFO_2, true).toString(16);
      return [outcome, ghcb.getUint16(BUFFER + PSC_BUFFER.CURRENT, true), error];
    },
    /** A request by MSR. @returns the outcome, the code and the high half of the answer */
    msr: (code: number, gpa: number, operation: number) => {
      guest.msrs.set([code + (gpa % 2 ** 32), Math.floor(gpa / 2 ** 32) + operation * 2 ** 20]);
      const outcome = exit(SVM_EXIT.VMGEXIT);
      return [outcome, guest.msrs[0], guest.msrs[1]];
    },
  };
};

describe("a nested page fault", () => {
  it("gets a page of 2 MiB, assigned and not validated", () => {
    const { touch, stateOf, guest, bench } = rig();
    expect([touch(3 * PAGE), stateOf(0), stateOf(UNIT - PAGE), stateOf(UNIT)]).toEqual([
      DONE,
      PENDING,
      PENDING,
      FREE,
    ]);
    expect(bench.events.filter((line) => line.startsWith("RMPUPDATE"))).toEqual([
      "RMPUPDATE gpa 0 size 1 assigned 1 result 0",
    ]);
    expect(pvalidate(guest, 0, 0, 1, 1)).toBe(0);
    expect(stateOf(5 * PAGE)).toBe(MAPPED);
  });
  it("gets one of 4 KiB where that is the policy", () => {
    const { touch, stateOf } = rig({ augSize: "4K" });
    expect([touch(3 * PAGE), stateOf(2 * PAGE), stateOf(3 * PAGE)]).toEqual([DONE, FREE, PENDING]);
  });
  it("for the size splits the block by PSMASH, and validated pages stay so", () => {
    const { exit, touch, guest, stateOf, bench } = rig();
    touch(0);
    pvalidate(guest, 0, 0, 1, 1);
    expect(exit(SVM_EXIT.NPF, 7, NPF_HI.FINAL | NPF_HI.SIZE_MISMATCH, 7 * PAGE)).toBe(DONE);
    expect(bench.events).toContain("PSMASH gpa 0 result 0");
    expect(pvalidate(guest, 0, 7 * PAGE, 0, 0)).toBe(0);
    expect([stateOf(6 * PAGE), stateOf(7 * PAGE)]).toEqual([MAPPED, PENDING]);
  });
  it("of a page that is mapped is nothing that the host can help with", () => {
    const { touch } = rig();
    expect([touch(0), touch(0)]).toEqual([DONE, UNRESOLVED]);
  });
});

describe("RMPUPDATE and PSMASH", () => {
  const failing = (times: number, answer: number) => {
    let left = times;
    return { rmpUpdate: () => (left-- > 0 ? answer : -1), psmash: () => -1 };
  };
  it("are repeated as KVM repeats them", () => {
    const { touch, stateOf, bench } = rig({}, failing(2, 4));
    expect([touch(0), stateOf(0)]).toEqual([DONE, PENDING]);
    expect(bench.events.filter((line) => line.startsWith("RMPUPDATE")).length).toBe(3);
  });
  it.each([1, 2, 3])("that answer %i end the VM, and nothing is mapped", (answer) => {
    const { touch, stateOf, bench } = rig({}, failing(1, answer));
    expect([touch(0), stateOf(0), bench.vmm.life.ended]).toEqual([DEAD, FREE, VM_END.RMP_REFUSED]);
  });
});

describe("a page state change by buffer", () => {
  it("makes each entry shared or private in order and says how far it came", () => {
    const { psc, entry, touch, stateOf, bench } = rig();
    touch(0);
    const entries = [entry(0, SHARED, LARGE), entry(UNIT, SHARED), entry(0, PRIVATE, LARGE)];
    expect(psc(entries)).toEqual([DONE, 3, "0"]);
    expect(stateOf(0)).toBe(FREE);
    expect(bench.events.filter((line) => line.startsWith("PAGE_STATE_CHANGE"))).toEqual([
      `PAGE_STATE_CHANGE vcpu 0 start 0 size ${UNIT} private 0`,
      `PAGE_STATE_CHANGE vcpu 0 start ${UNIT} size ${PAGE} private 0`,
      `PAGE_STATE_CHANGE vcpu 0 start 0 size ${UNIT} private 1`,
    ]);
  });
  it("does a part where the policy says so, and the rest when it is asked again", () => {
    const { psc, entry } = rig({ pscEntries: 2 });
    const entries = [0, 1, 2, 3, 4].map((page) => entry(page * PAGE, SHARED));
    expect([psc(entries), psc(entries, 2), psc(entries, 4)]).toEqual([
      [DONE, 2, "0"],
      [DONE, 4, "0"],
      [DONE, 5, "0"],
    ]);
  });
  it("goes on inside a 2 MiB entry from its current page", () => {
    const { psc, entry, bench } = rig();
    expect(psc([entry(0, SHARED, LARGE | 510n)])).toEqual([DONE, 1, "0"]);
    expect(bench.events).toContain(`PAGE_STATE_CHANGE vcpu 0 start ${510 * PAGE} size ${2 * PAGE} private 0`);
  });
  it("refuses a last entry behind the buffer", () => {
    expect(rig().psc([], 0, 253)).toEqual([DONE, 0, "100000001"]);
  });
  it.each([
    ["operation 0", 0, 0n],
    ["operation 5", 5, 0n],
    ["a reserved bit", SHARED, 1n << 57n],
    ["a 2 MiB entry off 2 MiB", SHARED, LARGE | BigInt(PAGE)],
  ])("refuses an entry with %s, and what came before stays done", (_, operation, more) => {
    const { psc, entry } = rig();
    expect(psc([entry(UNIT, SHARED), entry(0, operation, more)])).toEqual([DONE, 1, "100000002"]);
  });
  it("answers a generic error for memory that is not there and should become private; shared it is as it is", () => {
    const { psc, entry } = rig();
    expect(psc([entry(512 * MIB, SHARED), entry(512 * MIB, PRIVATE)])).toEqual([DONE, 1, "10000000000"]);
  });
});

describe("a request by MSR", () => {
  it("changes one page", () => {
    const { msr, stateOf, touch } = rig();
    touch(0);
    expect(msr(GHCB_MSR_CODE.PSC_REQUEST, 0, SHARED)).toEqual([DONE, GHCB_MSR_CODE.PSC_RESPONSE, 0]);
    expect([stateOf(0), stateOf(PAGE)]).toEqual([FREE, PENDING]);
    expect(msr(GHCB_MSR_CODE.PSC_REQUEST, 0, PRIVATE)).toEqual([DONE, GHCB_MSR_CODE.PSC_RESPONSE, 0]);
  });
  it("for another operation, or for memory that is not there, fails", () => {
    const { msr } = rig();
    expect(msr(GHCB_MSR_CODE.PSC_REQUEST, 0, 3)[2]).toBe(0x8000_0000);
    expect(msr(GHCB_MSR_CODE.PSC_REQUEST, 512 * MIB, PRIVATE)[2]).toBe(0x8000_0000);
  });
  it("to be ended ends the VM, with the reason", () => {
    const { msr, bench } = rig();
    expect(msr(GHCB_MSR_CODE.TERMINATE + 0x2_1000, 0, 0)[0]).toBe(DEAD);
    expect([bench.vmm.life.end.reason, bench.vmm.life.end.status]).toEqual([VM_END.GUEST_TERMINATED, 0x102]);
  });
});

it("any buffer, MSR or fault is answered, or is named as not modelled", () => {
  const word = fc.bigInt(0n, 2n ** 64n - 1n);
  const entry = fc.oneof(
    word,
    fc
      .record({ page: fc.nat(5000), operation: fc.nat(5), large: fc.boolean() })
      .map(
        ({ page, operation, large }) =>
          (BigInt(page) << 12n) | (BigInt(operation) << 52n) | (large ? LARGE : 0n),
      ),
  );
  const psc = fc.record({
    entries: fc.array(entry, { maxLength: 12 }),
    current: fc.oneof(fc.nat(14), fc.nat(65535)),
    end: fc.oneof(fc.nat(14), fc.nat(65535)),
  });
  const fault = fc.record({ gpa: fc.nat(5000).map((page) => page * PAGE), high: fc.nat(31) });
  const request = fc.record({ low: fc.nat(2 ** 32 - 1), high: fc.nat(2 ** 32 - 1) });
  fc.assert(
    fc.property(fc.array(fc.oneof(psc, fault, request), { maxLength: 10 }), (deeds) => {
      const { psc: change, touch, exit, guest, bench } = rig();
      touch(0);
      try {
        for (const deed of deeds) {
          if ("entries" in deed) {
            const [, current] = change(deed.entries, deed.current, deed.end);
            expect(current).toBeGreaterThanOrEqual(deed.current);
            expect(current).toBeLessThanOrEqual(Math.max(deed.current, Math.min(deed.end, 252) + 1));
          } else if ("gpa" in deed) exit(SVM_EXIT.NPF, 6, deed.high, deed.gpa);
          else {
            guest.msrs.set([deed.low, deed.high]);
            exit(SVM_EXIT.VMGEXIT);
          }
          expect(bench.vmm.use.privateBytes + bench.vmm.use.sharedBytes).toBeLessThanOrEqual(32 * MIB);
        }
      } catch (error) {
        if (!(error instanceof NotModelled)) throw error;
      }
    }),
    { numRuns: 200 },
  );
});
