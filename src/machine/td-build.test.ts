import { describe, expect, it } from "vitest";
import { TDH } from "../abi/tdx/leaves.ts";
import { status } from "../abi/tdx/status.ts";
import { ERRNO } from "../linux/errno.ts";
import { GIB, MIB } from "../units.ts";
import { TD_BUILD, unmadeTd } from "./td-build.ts";

const LEVELS = 5;

/** Makes a TD of two vCPUs of which the calls `code` from number `from` on answer so, `times` in a row. */
const make = (code: number, answer: number, from = 1, times = 1) => {
  const seen = new Map<number, number>();
  const failed = unmadeTd(2, LEVELS, (each) => {
    const count = (seen.get(each) ?? 0) + 1;
    seen.set(each, count);
    return each === code && from <= count && count < from + times ? answer : 0;
  });
  return { failed, seen };
};

it("counts the calls that make a TD of two vCPUs", () => {
  const { failed, seen } = make(-1, 0);
  expect(failed).toBeUndefined();
  expect(Object.fromEntries(seen)).toEqual({
    [TD_BUILD.KEY_ID]: 1,
    // TDR and 6 pages of TDCS, and 6 pages of each vCPU.
    [TD_BUILD.CONTROL_PAGE]: 7 + 12,
    [TDH["TDH.MNG.CREATE"]]: 1,
    [TDH["TDH.MNG.KEY.CONFIG"]]: 1,
    [TDH["TDH.MNG.ADDCX"]]: 6,
    [TDH["TDH.MNG.INIT"]]: 1,
    [TDH["TDH.VP.CREATE"]]: 2,
    [TDH["TDH.VP.ADDCX"]]: 10,
    [TDH["TDH.VP.INIT"]]: 2,
    // 4 MiB of flash in two units: a table for each, and one at each of the three levels above.
    [TD_BUILD.IMAGE_TABLE]: 5,
    [TD_BUILD.IMAGE_TABLE_PAGE]: 5,
    [TD_BUILD.IMAGE_PAGE]: 1024,
    [TDH["TDH.MEM.PAGE.ADD"]]: 1024,
    // 3568 KiB behind the variables, 256 bytes at a time.
    [TDH["TDH.MR.EXTEND"]]: 14_272,
    [TDH["TDH.MR.FINALIZE"]]: 1,
  });
});

it("tells which page of the image a call is about", () => {
  const pages: number[] = [];
  unmadeTd(1, LEVELS, (code, start, end) => {
    if (code === TDH["TDH.MEM.PAGE.ADD"]) pages.push(start, end);
    return 0;
  });
  expect([pages[0], pages.at(-1)]).toEqual([4 * GIB - 4 * MIB, 4 * GIB]);
});

describe("a refusal ends QEMU, with what KVM makes of it", () => {
  it.each([
    ["TDH.MNG.CREATE", "OPERAND_BUSY", ERRNO.EIO, "KVM_TDX_INIT_VM"],
    ["TDH.MNG.INIT", "OPERAND_INVALID", ERRNO.EINVAL, "KVM_TDX_INIT_VM"],
    ["TDH.MNG.INIT", "OPERAND_BUSY", ERRNO.EIO, "KVM_TDX_INIT_VM"],
    ["TDH.VP.INIT", "OPERAND_BUSY", ERRNO.EIO, "KVM_TDX_INIT_VCPU of vCPU 0"],
    ["TDH.MEM.PAGE.ADD", "OPERAND_BUSY", ERRNO.EBUSY, "KVM_TDX_INIT_MEM_REGION"],
    ["TDH.MEM.PAGE.ADD", "PAGE_METADATA_INCORRECT", ERRNO.EIO, "KVM_TDX_INIT_MEM_REGION"],
    ["TDH.MR.EXTEND", "OPERAND_BUSY", ERRNO.EIO, "KVM_TDX_INIT_MEM_REGION"],
    ["TDH.MR.FINALIZE", "OPERAND_BUSY", ERRNO.EBUSY, "KVM_TDX_FINALIZE_VM"],
    ["TDH.MR.FINALIZE", "NO_VCPUS", ERRNO.EIO, "KVM_TDX_FINALIZE_VM"],
  ] as const)("%s answers %s", (leaf, kind, errno, ioctl) => {
    const answer = status(kind);
    expect(make(TDH[leaf], answer).failed).toEqual({ errno, ioctl, code: TDH[leaf], answer });
  });
  it.each([
    ["a page of the image", TD_BUILD.IMAGE_PAGE, 1024],
    ["a page of a table", TD_BUILD.IMAGE_TABLE_PAGE, 5],
  ])("memory for %s", (_what, code, from) => {
    const { failed } = make(code, ERRNO.ENOMEM, from);
    expect([failed?.errno, failed?.ioctl]).toEqual([ERRNO.ENOMEM, "KVM_TDX_INIT_MEM_REGION"]);
  });
  it("memory for the second vCPU's third page", () => {
    const { failed } = make(TD_BUILD.CONTROL_PAGE, ERRNO.ENOMEM, 7 + 6 + 3);
    expect(failed?.errno).toBe(ERRNO.ENOMEM);
    expect(failed?.ioctl).toBe("KVM_TDX_INIT_VCPU of vCPU 1");
  });
});

describe("what goes away by itself is tried again", () => {
  const noEntropy = status("RND_NO_ENTROPY");
  it("no entropy: ten times by KVM, and its creation then anew by QEMU", () => {
    expect(make(TDH["TDH.MNG.KEY.CONFIG"], noEntropy, 1, 9).failed).toBeUndefined();
    expect(make(TDH["TDH.MNG.KEY.CONFIG"], noEntropy, 1, 10).failed?.errno).toBe(ERRNO.EIO);
    const { failed, seen } = make(TDH["TDH.MNG.CREATE"], noEntropy, 1, 10);
    expect(failed).toBeUndefined();
    expect([seen.get(TDH["TDH.MNG.CREATE"]), seen.get(TD_BUILD.KEY_ID)]).toEqual([11, 2]);
  });
  it("QEMU gives up in the end", () => {
    const { failed, seen } = make(TDH["TDH.MNG.CREATE"], noEntropy, 1, Number.POSITIVE_INFINITY);
    expect(failed?.errno).toBe(ERRNO.EAGAIN);
    expect(seen.get(TDH["TDH.MNG.CREATE"])).toBe(10 * 10_000);
  });
  it("a busy tree, while the image's tables are added", () => {
    expect(make(TD_BUILD.IMAGE_TABLE, status("OPERAND_BUSY"), 1, 5000).failed).toBeUndefined();
    expect(make(TD_BUILD.IMAGE_TABLE, status("EPT_WALK_FAILED"), 3).failed?.errno).toBe(ERRNO.EIO);
  });
});
