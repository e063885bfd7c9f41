import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAGE_TYPE } from "../abi/tdx/td-state.ts";
import { flatSize, loadFlat, saveFlat } from "../flat/flat-range.ts";
import { NotModelled } from "../not-modelled.ts";
import { GIB, TIB } from "../units.ts";
import { OTHER_SIZE, Pamt, SIZE_1G, SIZE_2M, SIZE_4K } from "./pamt.ts";
import { COVERED, OUTSIDE, RESERVED, TdmrList } from "./tdmr.ts";

const FIRST = (4 * GIB) / 4096;
const pamt = (): Pamt => new Pamt([{ base: 4 * GIB, size: 4 * GIB }]);

describe("the TDMR list", () => {
  const list = new TdmrList([
    { base: GIB, size: GIB, reserved: [{ offset: 0x1000, size: 0x2000 }] },
    { base: 4 * GIB, size: 2 * GIB, reserved: [{ offset: 2 * GIB - 0x1000, size: 0x1000 }] },
  ]);
  const frame = (byte: number): number => byte / 4096;
  it("tells covered, reserved and outside frames apart, in any order of asking", () => {
    const golden: readonly (readonly [number, number])[] = [
      [frame(GIB) - 1, OUTSIDE],
      [frame(GIB), COVERED],
      [frame(GIB) + 1, RESERVED],
      [frame(GIB) + 2, RESERVED],
      [frame(GIB) + 3, COVERED],
      [frame(2 * GIB) - 1, COVERED],
      [frame(2 * GIB), OUTSIDE],
      [frame(4 * GIB), COVERED],
      [frame(6 * GIB) - 1, RESERVED],
      [frame(6 * GIB), OUTSIDE],
      [2 ** 40 - 1, OUTSIDE],
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray([...golden], { minLength: golden.length }), (order) => {
        expect(order.map(([f]) => list.kindOf(f))).toEqual(order.map(([, kind]) => kind));
      }),
    );
  });
  it("covers a run only if no part is reserved or outside", () => {
    expect(list.coversWhole(frame(GIB), 512)).toBe(false);
    expect(list.coversWhole(frame(GIB) + 512, 512)).toBe(true);
    expect(list.coversWhole(frame(6 * GIB) - 512, 512)).toBe(false);
  });
  it("refuses what a module would not have configured", () => {
    expect(() => new TdmrList([{ base: GIB + 4096, size: GIB }])).toThrow("aligned to 1 GiB");
    expect(() => new TdmrList([{ base: GIB, size: 0 }])).toThrow("aligned to 1 GiB");
    expect(() => new TdmrList([])).toThrow("has a TDMR");
    const two = [
      { base: GIB, size: 2 * GIB },
      { base: 2 * GIB, size: GIB },
    ];
    expect(() => new TdmrList(two)).toThrow("ascend and do not overlap");
    const reserved = [
      { offset: 0x2000, size: 0x1000 },
      { offset: 0x1000, size: 0x1000 },
    ];
    expect(() => new TdmrList([{ base: GIB, size: GIB, reserved }])).toThrow("ascend inside");
  });
  it("may reach beyond 16 TiB, and only pages below are given out", () => {
    const across = new TdmrList([{ base: 16 * TIB - GIB, size: 2 * GIB }]);
    const end = 2 ** 32;
    expect([across.kindOf(end - 1), across.coversWhole(end - 512, 512)]).toEqual([COVERED, true]);
    expect(() => across.kindOf(end)).toThrow(NotModelled);
    expect(across.coversWhole(end - 512, 1024)).toBe(false);
    expect(across.kindOf(end + (2 * GIB) / 4096)).toBe(OUTSIDE);
    across.setReady(16 * TIB - GIB, 16 * TIB + GIB, 16 * TIB);
    expect(across.kindOf(end)).toBe(OUTSIDE);
  });
});

describe("the metadata", () => {
  it("describes a page by one entry of its own size", () => {
    const p = pamt();
    p.take(FIRST + 512, SIZE_2M, PAGE_TYPE.REG, 3);
    p.take(FIRST + 5, SIZE_4K, PAGE_TYPE.EPT, 2);
    expect([p.sizeAt(FIRST + 700), p.typeAt(FIRST + 512, SIZE_2M), p.typeAt(FIRST + 700, SIZE_4K)]).toEqual([
      SIZE_2M,
      PAGE_TYPE.REG,
      OTHER_SIZE,
    ]);
    expect([p.sizeAt(FIRST + 5), p.typeAt(FIRST + 5, SIZE_4K), p.typeAt(FIRST, SIZE_2M)]).toEqual([
      SIZE_4K,
      PAGE_TYPE.EPT,
      PAGE_TYPE.NDA,
    ]);
    expect([
      p.ownerAt(FIRST + 512, SIZE_2M),
      p.ownerAt(FIRST + 5, SIZE_4K),
      p.ownerAt(FIRST + 6, SIZE_4K),
    ]).toEqual([3, 2, 0]);
  });
  it("calls a block free only when all of it is, and none of it reserved", () => {
    const p = new Pamt([{ base: 4 * GIB, size: GIB, reserved: [{ offset: 0x40_0000, size: 0x1000 }] }]);
    expect([0, 512, 1024, 1536].map((offset) => p.isBlockFree(FIRST + offset))).toEqual([
      true,
      true,
      false,
      true,
    ]);
    p.take(FIRST + 100, SIZE_4K, PAGE_TYPE.REG, 1);
    expect(p.isBlockFree(FIRST)).toBe(false);
    p.free(FIRST + 100, SIZE_4K);
    expect(p.isBlockFree(FIRST)).toBe(true);
    expect(p.typeAt(FIRST + 1024, SIZE_4K)).toBe(PAGE_TYPE.RSVD);
  });
  it("splits and merges at 2 MiB and at 1 GiB without losing the owner", () => {
    const p = pamt();
    for (let i = 0; i < 512; i++) p.take(FIRST + i * 512, SIZE_2M, PAGE_TYPE.REG, 7);
    p.merge(FIRST, SIZE_1G);
    expect([p.sizeAt(FIRST + 99_999), p.typeAt(FIRST, SIZE_1G), p.ownerAt(FIRST + 99_999, SIZE_1G)]).toEqual([
      SIZE_1G,
      PAGE_TYPE.REG,
      7,
    ]);
    p.setBepoch(FIRST, SIZE_1G, 5);
    expect(p.bepochAt(FIRST, SIZE_1G)).toBe(5);
    p.split(FIRST, SIZE_1G);
    expect([
      p.sizeAt(FIRST + 99_999),
      p.ownerAt(FIRST + 99_999, SIZE_2M),
      p.bepochAt(FIRST, SIZE_2M),
    ]).toEqual([SIZE_2M, 7, 0]);
    p.split(FIRST, SIZE_2M);
    expect([p.sizeAt(FIRST + 511), p.ownerAt(FIRST + 511, SIZE_4K)]).toEqual([SIZE_4K, 7]);
    p.merge(FIRST, SIZE_2M);
    expect([p.sizeAt(FIRST + 511), p.typeAt(FIRST, SIZE_2M), p.ownerAt(FIRST, SIZE_2M)]).toEqual([
      SIZE_2M,
      3,
      7,
    ]);
  });
  it("costs what is used: a page at the end of 8 TiB takes megabytes, not gigabytes", () => {
    const p = new Pamt([{ base: GIB, size: 8 * TIB }]);
    p.take((8 * TIB) / 4096, SIZE_4K, PAGE_TYPE.REG, 1);
    expect(flatSize(p)).toBeLessThan(80 * 2 ** 20);
    const q = new Pamt([{ base: GIB, size: 8 * TIB }]);
    q.take(GIB / 4096, SIZE_4K, PAGE_TYPE.REG, 1);
    expect(flatSize(q)).toBeLessThan(8192);
  });
  it("behaves as a map from page to type, owner and epoch, and so does a copy of its bytes", () => {
    const place = fc.record({
      block: fc.nat(5),
      index: fc.nat(3),
      large: fc.boolean(),
      owner: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 60 }), (places) => {
        const p = pamt();
        const model = new Map<string, number>();
        for (const { block, index, large, owner } of places) {
          const frame = FIRST + block * 512 + (large ? 0 : index);
          const size = large ? SIZE_2M : SIZE_4K;
          const key = `${frame} ${size}`;
          if (model.delete(key)) p.free(frame, size);
          else if (large ? p.isBlockFree(frame) : p.typeAt(frame, size) === PAGE_TYPE.NDA) {
            p.take(frame, size, PAGE_TYPE.REG, owner);
            p.setBepoch(frame, size, owner * 11);
            model.set(key, owner);
          }
        }
        const bytes = new Uint8Array(flatSize(p));
        saveFlat(p, bytes, 0);
        const copy = pamt();
        loadFlat(copy, bytes, 0);
        for (const which of [p, copy]) {
          for (let frame = FIRST; frame < FIRST + 6 * 512; frame++) {
            const size = which.sizeAt(frame);
            const base = size === SIZE_2M ? frame - (frame % 512) : frame;
            const owner = model.get(`${base} ${size}`) ?? 0;
            const found = [
              which.typeAt(frame, size),
              which.ownerAt(frame, size),
              which.bepochAt(frame, size),
            ];
            if (`${found}` !== `${[owner === 0 ? 0 : PAGE_TYPE.REG, owner, owner * 11]}`) {
              throw new Error(`frame ${frame}: ${found} for owner ${owner}`);
            }
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
