import { describe, expect, it } from "vitest";
import { psmash } from "./psmash.ts";
import { pvalidate } from "./pvalidate.ts";
import { NESTED_FAULT } from "./snp-guest.ts";
import { EXIT_REGS, exitOf } from "./testing/exit-of.ts";
import { oneGuest } from "./testing/one-guest.ts";

const PAGE = 4096;
const UNIT = 2 ** 21;
const [FREE, MAPPED, PENDING] = [0, 3, 5];
const [SUCCESS, FAIL_INPUT, FAIL_SIZEMISMATCH, NO_UPDATE] = [0, 1, 6, 255];

describe("PVALIDATE", () => {
  it("validates a 4 KiB page once; the second time nothing changes and the carry flag says so", () => {
    const { guest, give, stateOf } = oneGuest();
    give(7, 0);
    expect(stateOf(7)).toBe(PENDING);
    expect(pvalidate(guest, 0, 7 * PAGE, 0, 1)).toBe(SUCCESS);
    expect(stateOf(7)).toBe(MAPPED);
    expect(pvalidate(guest, 0, 7 * PAGE, 0, 1)).toBe(NO_UPDATE);
  });

  it("rescinds what is validated, and answers no update where nothing is", () => {
    const { guest, giveLarge, stateOf } = oneGuest();
    giveLarge(512, 512);
    expect(pvalidate(guest, 0, UNIT, 1, 0)).toBe(NO_UPDATE);
    expect(pvalidate(guest, 0, UNIT, 1, 1)).toBe(SUCCESS);
    expect(stateOf(1023)).toBe(MAPPED);
    expect(pvalidate(guest, 0, UNIT, 1, 0)).toBe(SUCCESS);
    expect(stateOf(512)).toBe(PENDING);
  });

  it("answers FAIL_SIZEMISMATCH for 2 MiB over 4 KiB entries", () => {
    const { guest, give } = oneGuest();
    give(512, 512);
    expect(pvalidate(guest, 0, UNIT, 1, 1)).toBe(FAIL_SIZEMISMATCH);
  });

  it("leaves the guest with SIZEM for 4 KiB of a 2 MiB entry, and works once the host smashed it", () => {
    const { guest, giveLarge, base } = oneGuest();
    giveLarge(512, 512);
    expect(pvalidate(guest, 0, UNIT + PAGE, 0, 1)).toBe(NESTED_FAULT);
    // Final address, encrypted, SIZEM; RMP, user, write, present.
    expect(exitOf(guest, 0)).toEqual({ code: 0x400, high: 1 | 4 | 8, low: 0x8000_0007, gpa: UNIT + PAGE });
    expect(psmash(guest, base + 512)).toBe(SUCCESS);
    expect(pvalidate(guest, 0, UNIT + PAGE, 0, 1)).toBe(SUCCESS);
  });

  it("leaves the guest where nothing is mapped, where the page is shared, another guest's or another address's", () => {
    const { guest, base, update } = oneGuest();
    expect(pvalidate(guest, 0, 0, 0, 1)).toBe(NESTED_FAULT);
    expect(exitOf(guest, 0)).toEqual({ code: 0x400, high: 1 | 4, low: 6, gpa: 0 });
    for (const [gfn, frame] of [
      [1, 1],
      [2, 2],
      [3, 3],
    ] as const)
      guest.npt.mapSmall(gfn, base + frame);
    update(2, 2, 0, true, 99);
    update(3, 4, 0);
    for (const gfn of [1, 2, 3]) {
      expect(pvalidate(guest, 0, gfn * PAGE, 0, 1)).toBe(NESTED_FAULT);
      expect(exitOf(guest, 0).low).toBe(0x8000_0007);
    }
  });

  it.each([
    [PAGE + 1, 0, 1],
    [PAGE, 1, 1],
    [0, 2, 1],
    [0, 0, 2],
  ])("answers FAIL_INPUT for address %i, size %i, validate %i and changes nothing", (gpa, size, validate) => {
    const { guest, give, stateOf } = oneGuest();
    give(0, 0);
    give(1, 1);
    expect(pvalidate(guest, 0, gpa, size, validate)).toBe(FAIL_INPUT);
    expect([stateOf(0), stateOf(1)]).toEqual([PENDING, PENDING]);
    expect(exitOf(guest, 0)).toEqual(EXIT_REGS.none);
  });

  it("counts the validated pages of a unit of 4 KiB pages", () => {
    const { guest, give, update } = oneGuest();
    for (let page = 0; page < 512; page++) give(page, page);
    for (let page = 0; page < 512; page++) pvalidate(guest, 0, page * PAGE, 0, 1);
    expect(guest.npt.mappedPages(0)).toBe(512);
    pvalidate(guest, 0, 0, 0, 0);
    expect(guest.npt.mappedPages(0)).toBe(511);
    // The host takes a validated page away: the mapping is still there, the page is not the guest's any more.
    update(9, 0, 0, false);
    expect(guest.npt.mappedPages(0)).toBe(510);
    guest.npt.unmap(9);
    guest.npt.unmap(10);
    expect(guest.npt.mappedPages(0)).toBe(509);
  });
});

describe("two pages for one address", () => {
  it("a guest that validates again without having rescinded leaves the host two validated pages to choose from", () => {
    const { guest, give, base, rmp, update, stateOf } = oneGuest();
    give(7, 0);
    pvalidate(guest, 0, 7 * PAGE, 0, 1);
    // The host takes the mapping away but says nothing to the RMP, and brings another page.
    guest.npt.unmap(7);
    expect(stateOf(7)).toBe(FREE);
    give(7, 1);
    expect(pvalidate(guest, 0, 7 * PAGE, 0, 1)).toBe(SUCCESS);
    guest.npt.unmap(7);
    guest.npt.mapSmall(7, base);
    expect(stateOf(7)).toBe(MAPPED);
    expect([0, 1].map((frame) => rmp.isValid(base + frame, 5, 7))).toEqual([true, true]);
    expect(update(0, 7, 0, false)).toBe(0);
  });

  it("a guest that rescinds first is safe: the old page is not valid when it comes back", () => {
    const { guest, give, base, stateOf } = oneGuest();
    give(7, 0);
    pvalidate(guest, 0, 7 * PAGE, 0, 1);
    expect(pvalidate(guest, 0, 7 * PAGE, 0, 0)).toBe(SUCCESS);
    guest.npt.unmap(7);
    give(7, 1);
    expect(pvalidate(guest, 0, 7 * PAGE, 0, 1)).toBe(SUCCESS);
    guest.npt.unmap(7);
    guest.npt.mapSmall(7, base);
    expect(stateOf(7)).toBe(PENDING);
  });
});
