import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flatSize, loadFlat, saveFlat } from "../flat/flat-range.ts";
import { snpAccess, snpReachable } from "./guest-access.ts";
import { psmash } from "./psmash.ts";
import { pvalidate } from "./pvalidate.ts";
import { Rmp } from "./rmp.ts";
import { rmpAdjust } from "./rmpadjust.ts";
import { NESTED_FAULT, SNP_VCPU } from "./snp-guest.ts";
import { exitOf } from "./testing/exit-of.ts";
import { oneGuest } from "./testing/one-guest.ts";

const PAGE = 4096;
const UNIT = 2 ** 21;
const [RMP_4K, RMP_2M] = [0, 1];

describe("RMPUPDATE", () => {
  it("assigns a page not validated, also when it was validated before", () => {
    const { guest, give, stateOf, update } = oneGuest();
    give(7, 0);
    pvalidate(guest, 0, 7 * PAGE, 0, 1);
    expect(update(0, 7, RMP_4K)).toBe(0);
    expect(stateOf(7)).toBe(5);
  });

  it.each([
    ["a frame below the table", [-1, 0, RMP_4K], 1],
    ["a frame above it", [16 * 2 ** 18, 0, RMP_4K], 1],
    ["a block off 2 MiB", [1, 0, RMP_2M], 1],
    ["a guest address off 2 MiB", [0, 1, RMP_2M], 1],
    ["a third size", [0, 0, 2], 1],
  ] as const)("answers FAIL_INPUT for %s", (_, [frame, gfn, size], expected) => {
    const { update } = oneGuest();
    expect(update(frame, gfn, size)).toBe(expected);
  });

  it("answers FAIL_OVERLAP where entries of the other size are in the way", () => {
    const { update } = oneGuest();
    expect(update(1, 1, RMP_4K)).toBe(0);
    expect(update(0, 512, RMP_2M)).toBe(4);
    expect(update(512, 512, RMP_2M)).toBe(0);
    expect(update(513, 1, RMP_4K)).toBe(4);
    expect(update(1, 0, RMP_4K, false)).toBe(0);
    expect(update(0, 512, RMP_2M)).toBe(0);
  });

  it("answers FAIL_PERMISSION for an immutable page", () => {
    const { rmp, base, update, guest } = oneGuest();
    rmp.assign(base, false, 0, 0, 2);
    expect(update(0, 0, RMP_4K)).toBe(2);
    rmp.assign(base + 512, true, 512, 0, 2);
    expect(psmash(guest, base + 512)).toBe(2);
  });
});

it("PSMASH keeps what the block said, page by page, and refuses what is no block", () => {
  const { guest, giveLarge, base, rmp } = oneGuest();
  giveLarge(512, 512);
  pvalidate(guest, 0, UNIT, 1, 1);
  expect(psmash(guest, base + 513)).toBe(1);
  expect(psmash(guest, base)).toBe(1);
  expect(psmash(guest, base + 16 * 2 ** 18)).toBe(4);
  expect(psmash(guest, base + 512)).toBe(0);
  for (const page of [0, 511]) expect(rmp.isValid(base + 512 + page, 5, 512 + page)).toBe(true);
  expect(psmash(guest, base + 512)).toBe(1);
});

describe("a guest's access", () => {
  it("reaches a validated page, meets #VC on one that is not, and faults where nothing is mapped", () => {
    const { guest, give } = oneGuest();
    expect(snpAccess(guest, 0, 7 * PAGE, false)).toBe(NESTED_FAULT);
    expect(exitOf(guest, 0).low).toBe(4);
    give(7, 0);
    expect(snpAccess(guest, 0, 7 * PAGE, true)).toBe(1);
    pvalidate(guest, 0, 7 * PAGE, 0, 1);
    expect(snpAccess(guest, 0, 7 * PAGE + 5, true)).toBe(0);
    expect([snpReachable(guest, 7 * PAGE + 5, 9000), snpReachable(guest, 8 * PAGE, 1)]).toEqual([4091, 0]);
  });

  it("faults with SIZEM where the nested page is of 2 MiB and the RMP entries are of 4 KiB", () => {
    const { guest, giveLarge, base } = oneGuest();
    giveLarge(512, 512);
    pvalidate(guest, 0, UNIT, 1, 1);
    psmash(guest, base + 512);
    expect(snpAccess(guest, 0, UNIT, false)).toBe(NESTED_FAULT);
    expect(exitOf(guest, 0).high).toBe(1 | 4 | 8);
    guest.npt.split(512);
    expect(snpAccess(guest, 0, UNIT + PAGE, false)).toBe(0);
    expect(guest.npt.mappedPages(1)).toBe(512);
  });
});

describe("RMPADJUST", () => {
  const rig = () => {
    const made = oneGuest();
    made.give(7, 0);
    pvalidate(made.guest, 0, 7 * PAGE, 0, 1);
    return made;
  };
  it("lets a lower level read, and no more", () => {
    const { guest } = rig();
    expect(rmpAdjust(guest, 0, 7 * PAGE, 0, 1, 1)).toBe(0);
    guest.setWord(0, SNP_VCPU.VMPL, 1);
    expect(snpAccess(guest, 0, 7 * PAGE, false)).toBe(0);
    expect(snpAccess(guest, 0, 7 * PAGE, true)).toBe(NESTED_FAULT);
    expect(exitOf(guest, 0).high).toBe(1 | 4 | 16);
    // What it has not it cannot pass on, and it cannot speak of its own level.
    expect(rmpAdjust(guest, 0, 7 * PAGE, 0, 2, 2)).toBe(2);
    expect(rmpAdjust(guest, 0, 7 * PAGE, 0, 1, 1)).toBe(2);
    expect(rmpAdjust(guest, 0, 7 * PAGE, 0, 2, 1)).toBe(0);
  });
  it("refuses another size, a level that does not exist, and a page that is not validated", () => {
    const { guest } = rig();
    expect(rmpAdjust(guest, 0, 7 * PAGE, 2, 1, 1)).toBe(1);
    expect(rmpAdjust(guest, 0, 7 * PAGE, 0, 4, 1)).toBe(1);
    expect(rmpAdjust(guest, 0, 0, 1, 1, 1)).toBe(NESTED_FAULT);
    pvalidate(guest, 0, 7 * PAGE, 0, 0);
    expect(rmpAdjust(guest, 0, 7 * PAGE, 0, 1, 1)).toBe(0x1001);
  });
  it("is forgotten by RMPUPDATE, but not when the guest validates the page again", () => {
    const { guest, update, rmp, base } = rig();
    rmpAdjust(guest, 0, 7 * PAGE, 0, 1, 3);
    pvalidate(guest, 0, 7 * PAGE, 0, 0);
    pvalidate(guest, 0, 7 * PAGE, 0, 1);
    rmp.find(base);
    expect(rmp.permissions).toBe(3);
    update(0, 7, RMP_4K);
    rmp.find(base);
    expect(rmp.permissions).toBe(0);
  });
});

/** Random histories: the counts of validated pages are those of a look at each page, and a copy of the bytes is the state. */
it("counts stay true under any history, and a snapshot brings the state back", () => {
  const operation = fc.record({
    what: fc.constantFrom("give", "large", "take", "validate", "rescind", "smash", "unmap", "remap"),
    unit: fc.nat(1),
    page: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const { guest, rmp, base, update, stateOf } = oneGuest();
      const { npt } = guest;
      for (const { what, unit, page } of operations) {
        const gfn = unit * 512 + page;
        const mapped = npt.translate(gfn) >= 0;
        if (what === "give" && update(gfn, gfn, RMP_4K) === 0 && !mapped) npt.mapSmall(gfn, base + gfn);
        const empty = npt.endOfState(unit * UNIT, (unit + 1) * UNIT) === (unit + 1) * UNIT && !mapped;
        if (what === "large" && update(unit * 512, unit * 512, RMP_2M) === 0 && empty && npt.level > 0)
          npt.mapLarge(unit * 512, base + unit * 512);
        if (what === "take") {
          rmp.find(base + gfn);
          update(rmp.large ? unit * 512 : gfn, 0, rmp.large ? RMP_2M : RMP_4K, false);
        }
        if (what === "validate" || what === "rescind")
          for (const size of [0, 1])
            pvalidate(guest, 0, size === 1 ? unit * UNIT : gfn * PAGE, size, what === "validate" ? 1 : 0);
        if (what === "smash" && psmash(guest, base + unit * 512) === 0 && npt.translate(unit * 512) >= 0)
          if (npt.level === 1) npt.split(unit * 512);
        if (what === "unmap") npt.unmap(gfn);
      }
      for (const unit of [0, 1]) {
        const seen = Array.from({ length: 512 }, (_, page) => stateOf(unit * 512 + page)).filter(
          (s) => s === 3,
        );
        expect(npt.mappedPages(unit)).toBe(seen.length);
      }
      const bytes = new Uint8Array(flatSize(rmp));
      saveFlat(rmp, bytes, 0);
      const other = new Rmp(4 * 2 ** 30, 16 * 2 ** 30);
      loadFlat(other, bytes, 0);
      for (let frame = 0; frame < 1024; frame++) {
        rmp.find(base + frame);
        other.find(base + frame);
        expect([other.flags, other.gfn, other.asid, other.large]).toEqual([
          rmp.flags,
          rmp.gfn,
          rmp.asid,
          rmp.large,
        ]);
      }
    }),
    { numRuns: 40 },
  );
});
