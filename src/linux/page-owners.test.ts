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
