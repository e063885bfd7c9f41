import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_FIELD_ID } from "../abi/tdx/metadata-field-id.ts";
import { getBig, R8, RDX } from "../abi/tdx/regs.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { OneTd, type OneTdOptions } from "./one-td.ts";
import type { Outcome } from "./outcome.ts";

const CONFIG_FLAGS = 0x1110_0003_0000_0016n;
const TD_CTLS = 0x1110_0003_0000_0017n;
const NOTIFY_ENABLES = 0x9100_0000_0000_0010n;
const TOPOLOGY = 0x9100_0000_0000_0019n;

const said = (outcome: Outcome): string => statusText(outcome as Status);
const read = (one: OneTd, id: bigint, version = 0): string => {
  const outcome = one.tdcall("TDG.VM.RD", { RDX: id, R8: 99 }, version);
  return outcome === 0 ? getBig(one.guest, R8).toString(16) : said(outcome);
};
const write = (one: OneTd, id: bigint, value: bigint, mask: bigint): string => {
  const outcome = one.tdcall("TDG.VM.WR", { RDX: id, R8: value, R9: mask });
  return outcome === 0 ? `was ${getBig(one.guest, R8).toString(16)}` : said(outcome);
};
const topology: OneTdOptions = { topology: true, vcpus: 2 };

describe("TDG.VM.RD", () => {
  it("answers what Linux asks for at boot", () => {
    const one = new OneTd({ configFlags: 0x46n, vcpus: 2, maxVcpus: 3 });
    expect(read(one, CONFIG_FLAGS)).toBe("46");
    expect(read(one, TD_CTLS)).toBe("1");
    expect(read(one, TOPOLOGY)).toBe("0");
    expect(read(one, 0x1110_0003_0000_0000n)).toBe("10000000");
    expect(read(one, 0x9010_0002_0000_0001n)).toBe("2");
    expect(read(one, 0x1110_0002_0000_0002n)).toBe("3");
    expect(read(one, 0x1110_0000_0000_0003n)).toBe("0");
    expect(read(new OneTd({ gpaw: 52 }), 0x1110_0000_0000_0003n)).toBe("1");
    expect(read(new OneTd(topology), TOPOLOGY)).toBe("1");
  });
  it("refuses a VM, an unknown field, a field that is not the guest's, and a version", () => {
    const one = new OneTd();
    expect(said(one.tdcall("TDG.VM.RD", { RCX: 1, RDX: CONFIG_FLAGS }))).toBe("OPERAND_INVALID(RCX)");
    expect(read(one, 0x1110_0003_0000_00ffn)).toBe("METADATA_FIELD_ID_INCORRECT");
    expect(read(one, CONFIG_FLAGS | (1n << 24n))).toBe("METADATA_FIELD_ID_INCORRECT");
    expect(read(one, 0x9210_0003_0000_0000n)).toBe("METADATA_FIELD_NOT_READABLE");
    expect(read(one, CONFIG_FLAGS, 2)).toBe("OPERAND_INVALID(RAX)");
    expect([getBig(one.guest, R8), getBig(one.guest, RDX)]).toEqual([0n, NO_FIELD_ID]);
  });
  it("leaves RDX alone in version 0, and names the next field in version 1", () => {
    const one = new OneTd();
    read(one, CONFIG_FLAGS);
    expect(getBig(one.guest, RDX)).toBe(CONFIG_FLAGS);
    read(one, CONFIG_FLAGS, 1);
    expect(getBig(one.guest, RDX)).toBe(0x9110_0003_0000_0017n);
    read(one, 0x9910_0003_0000_008fn, 1);
    expect(getBig(one.guest, RDX)).toBe(NO_FIELD_ID);
    expect(read(one, NO_FIELD_ID, 1)).toBe("METADATA_FIRST_FIELD_ID_IN_CONTEXT");
    expect(getBig(one.guest, RDX)).toBe(0x8010_0003_0000_0020n);
  });
  it("reads every field that it names", () => {
    const one = new OneTd();
    let id = 0x8010_0003_0000_0020n;
    let count = 0;
    while (id !== NO_FIELD_ID) {
      expect(one.tdcall("TDG.VM.RD", { RDX: id }, 1)).toBe(0);
      id = getBig(one.guest, RDX);
      count++;
    }
    expect(count).toBe(92);
  });
});

describe("TDG.VM.WR", () => {
  it("takes Linux's NOTIFY_ENABLES = 0 with a mask of all ones", () => {
    const one = new OneTd();
    expect(write(one, NOTIFY_ENABLES, 0n, NO_FIELD_ID)).toBe("was 0");
    expect(write(one, NOTIFY_ENABLES, 1n, 1n)).toBe("was 0");
    expect(write(one, NOTIFY_ENABLES, 0n, NO_FIELD_ID)).toBe("was 1");
    expect(write(one, NOTIFY_ENABLES, 2n, NO_FIELD_ID)).toBe("METADATA_FIELD_VALUE_NOT_VALID");
  });
  it("refuses fields without a writable bit under the mask", () => {
    const one = new OneTd();
    expect(write(one, CONFIG_FLAGS, 0n, NO_FIELD_ID)).toBe("METADATA_FIELD_NOT_WRITABLE");
    expect(write(one, NOTIFY_ENABLES, 0n, 0n)).toBe("METADATA_FIELD_NOT_WRITABLE");
    expect(write(one, 0n, 0n, 0n)).toBe("METADATA_FIELD_ID_INCORRECT");
    expect(said(one.tdcall("TDG.VM.WR", { RCX: 1, RDX: NOTIFY_ENABLES }))).toBe("OPERAND_INVALID(RCX)");
  });
  it("changes PENDING_VE_DISABLE only where the host allowed it", () => {
    const free = new OneTd({ attributes: 0n });
    expect([write(free, TD_CTLS, 1n, 1n), read(free, TD_CTLS)]).toEqual(["was 0", "1"]);
    const fixed = new OneTd({ attributes: 0n, configFlags: 4n });
    expect(write(fixed, TD_CTLS, 1n, 1n)).toBe("METADATA_FIELD_VALUE_NOT_VALID");
    expect([write(fixed, TD_CTLS, 0n, 1n), read(fixed, TD_CTLS)]).toEqual(["was 0", "0"]);
  });
  it("turns REDUCE_VE into three bits where topology is configured, and refuses it elsewhere", () => {
    const one = new OneTd(topology);
    expect([write(one, TD_CTLS, 8n, 8n), read(one, TD_CTLS)]).toEqual(["was 1", "f"]);
    const plain = new OneTd();
    expect(write(plain, TD_CTLS, 8n, 8n)).toBe("METADATA_FIELD_VALUE_NOT_VALID");
    expect(write(plain, TD_CTLS, 2n, 2n)).toBe("METADATA_FIELD_VALUE_NOT_VALID");
    expect([write(plain, TD_CTLS, 4n, 4n), read(plain, TD_CTLS)]).toEqual(["was 1", "5"]);
  });
  it("changes nothing any more once LOCK is set", () => {
    const one = new OneTd(topology);
    const lock = 1n << 63n;
    expect(write(one, TD_CTLS, lock, lock)).toBe("was 1");
    expect(write(one, TD_CTLS, 4n, 4n)).toBe("METADATA_FIELD_VALUE_NOT_VALID");
    expect(write(one, TD_CTLS, 1n, 1n)).toBe("was 8000000000000001");
    expect(write(one, 0x9110_0003_0000_0022n, 1n, 1n)).toBe("METADATA_FIELD_VALUE_NOT_VALID");
    expect(read(one, TD_CTLS)).toBe("8000000000000001");
  });
  it("knows fewer bits in older modules", () => {
    const old: OneTdOptions = {
      topology: true,
      module: { behaviour: { tdCtlsKnown: 1, tdCtlsLock: false } },
    };
    expect(write(new OneTd(old), TD_CTLS, 8n, 8n)).toBe("METADATA_FIELD_NOT_WRITABLE");
  });
});

describe("TDG.SYS.RD", () => {
  const sys = (one: OneTd, id: bigint): string => {
    const outcome = one.tdcall("TDG.SYS.RD", { RDX: id, R8: 99 });
    return outcome === 0 ? getBig(one.guest, R8).toString(16) : said(outcome);
  };
  it("reads what a guest may know of the module", () => {
    const one = new OneTd();
    expect(sys(one, 0x0800_0002_0000_0000n)).toBe("8086");
    expect(getBig(one.guest, RDX)).toBe(0x0800_0001_0000_0003n);
    expect(sys(one, 0x0800_0001_0000_0004n)).toBe("1");
    const features = BigInt(`0x${sys(one, 0x0a00_0003_0000_0008n)}`);
    expect([18n, 38n, 0n].map((bit) => (features >> bit) & 1n)).toEqual([1n, 1n, 0n]);
  });
  it("refuses the host's fields and unknown ones, and names the first", () => {
    const one = new OneTd();
    expect(sys(one, 0x9000_0001_0000_0000n)).toBe("METADATA_FIELD_NOT_READABLE");
    expect(sys(one, 0x3f00_0000_0000_0000n)).toBe("METADATA_FIELD_ID_INCORRECT");
    expect([getBig(one.guest, RDX), getBig(one.guest, R8)]).toEqual([NO_FIELD_ID, 0n]);
    expect(sys(one, NO_FIELD_ID)).toBe("METADATA_FIRST_FIELD_ID_IN_CONTEXT");
    expect(getBig(one.guest, RDX)).toBe(0x0800_0002_0000_0000n);
  });
  it("reads every field that it names", () => {
    const one = new OneTd();
    let id = 0x0800_0002_0000_0000n;
    while (id !== NO_FIELD_ID) {
      expect(one.tdcall("TDG.SYS.RD", { RDX: id })).toBe(0);
      id = getBig(one.guest, RDX);
    }
  });
});

it("TDG.VP.CPUIDVE.SET takes two bits, and no change once TD_CTLS is locked", () => {
  const one = new OneTd();
  const set = (rcx: bigint): string => said(one.tdcall("TDG.VP.CPUIDVE.SET", { RCX: rcx }));
  expect([set(3n), set(4n), set(2n ** 32n), set(1n)]).toEqual([
    "SUCCESS",
    "OPERAND_INVALID(RCX)",
    "OPERAND_INVALID(RCX)",
    "SUCCESS",
  ]);
  write(one, TD_CTLS, 1n << 63n, 1n << 63n);
  expect([set(1n), set(0n)]).toEqual(["SUCCESS", "OPERAND_INVALID(RCX)"]);
});

it("no operands of the metadata leaves reach anything that is not written", () => {
  const one = new OneTd();
  const u64 = fc.bigInt(0n, 2n ** 64n - 1n);
  const id = fc.oneof(
    u64,
    fc
      .tuple(fc.constantFrom(0x1110n, 0x9110n, 0x1310n, 0x9910n, 0x0a00n), fc.nat(600))
      .map(([top, code]) => (top << 48n) | BigInt(code)),
  );
  fc.assert(
    fc.property(fc.constantFrom(7, 8, 11), id, u64, u64, fc.nat(3), (leaf, rdx, r8, r9, version) => {
      expect(one.tdcall(leaf, { RDX: rdx, R8: r8, R9: r9 }, version)).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 1000 },
  );
});
