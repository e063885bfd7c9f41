import fc from "fast-check";
import { expect, it } from "vitest";
import { PageOwners } from "./page-owners.ts";

/** Two groups of 512 pages, the pages of some numbers owned by 5. */
const owned = (room: boolean, pages: readonly number[]): PageOwners => {
  const owners = new PageOwners();
  owners.reserve(1024);
  if (room) owners.makeRoom();
  for (const page of pages) owners.set(page, page + 1, 5);
  return owners;
};

it("answers the same with room made for all pages", () => {
  const [few, all] = [owned(false, [7, 600]), owned(true, [7, 600])];
  for (let page = 0; page < 1024; page++) expect(all.of(page)).toBe(few.of(page));
  expect(all.of(600)).toBe(5);
});

it("with room made for all pages holds the same memory whatever the order in which they get owners", () => {
  expect(owned(true, [600, 7])).toEqual(owned(true, [7, 600]));
  expect(owned(false, [600, 7])).not.toEqual(owned(false, [7, 600]));
});

/** Pages [from, to) of three groups get an owner; half of the bounds are those of groups. */
const gift = fc
  .tuple(
    fc.array(fc.oneof(fc.nat(1536), fc.constantFrom(0, 512, 1024, 1536)), { minLength: 2, maxLength: 2 }),
    fc.nat(2),
  )
  .map(([bounds, owner]) => ({ from: Math.min(...bounds), to: Math.max(...bounds), owner }));

it("knows the owner of each page, whether groups are given whole or in parts, and whenever room is made", () => {
  fc.assert(
    fc.property(fc.array(gift), fc.array(gift), (before, after) => {
      const owners = new PageOwners();
      owners.reserve(1536);
      const expected = new Uint16Array(1536);
      const give = ({ from, to, owner }: (typeof before)[number]): void => {
        owners.set(from, to, owner);
        expected.fill(owner, from, to);
      };
      const unknown = () => expected.findIndex((owner, page) => owners.of(page) !== owner);
      before.forEach(give);
      expect(unknown()).toBe(-1);
      owners.makeRoom();
      after.forEach(give);
      expect(unknown()).toBe(-1);
    }),
  );
});
