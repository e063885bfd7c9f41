import { expect, it } from "vitest";
import { compareDebianVersions } from "./debian-version.ts";

/** Each is newer than the one before it; worked out from deb-version(7). */
const RISING = [
  "6.1.176-1",
  "6.12.95-1~bpo12+1",
  "6.12.107-1",
  "6.12.117-1~deb12u1",
  "6.12.117-1",
  "6.12.117-1+b1",
  "6.12.117-1.1",
  "6.12.117-2",
  "6.12.117-10",
  "6.12.117+deb12-1",
  "7.3~rc1-1",
  "7.3-1",
  "7.3a-1",
  "7.3.4-1~bpo13+1",
  "1:1.0-1",
];

it("versions are ordered as dpkg orders them", () => {
  for (const [i, a] of RISING.entries()) {
    for (const [j, b] of RISING.entries()) {
      expect(Math.sign(compareDebianVersions(a, b)), `${a} against ${b}`).toBe(Math.sign(i - j));
    }
  }
});

it("a leading zero and a revision of zero make no difference", () => {
  expect(compareDebianVersions("1.02", "1.2")).toBe(0);
  expect(compareDebianVersions("1.2", "1.2-0")).toBe(0);
  expect(compareDebianVersions("0:1.2", "1.2")).toBe(0);
});
