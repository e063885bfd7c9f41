import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { LabError } from "../lab-error.ts";
import { debianKeyring, machineSources } from "./machine-sources.ts";

const folder = mkdtempSync(join(tmpdir(), "tidemark-apt-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("sources come from sources.list and from both kinds of file beside it, others are not read", () => {
  mkdirSync(join(folder, "sources.list.d"));
  const write = (path: string, text: string): void => writeFileSync(join(folder, path), text);
  write("sources.list", "deb http://one.example/debian bookworm main");
  write("sources.list.d/b.list", "deb http://two.example/debian bookworm main\n");
  write(
    "sources.list.d/c.sources",
    "Types: deb\nURIs: http://three.example/debian\nSuites: s\nComponents: main\n",
  );
  write(
    "sources.list.d/d.sources",
    "Types: deb\nURIs: http://four.example/debian\nSuites: s\nComponents: main\n",
  );
  write("sources.list.d/e.list.save", "deb http://old.example/debian bookworm main\n");
  const hosts = machineSources(folder).map(({ uri }) => /\/\/(\w+)/.exec(uri)?.[1]);
  expect(hosts).toEqual(["one", "two", "three", "four"]);
  expect(machineSources(join(folder, "none"))).toEqual([]);
});

it("Debian's keyring is found under either name, and its package is named if there is none", () => {
  expect(() => debianKeyring(folder)).toThrow(LabError);
  expect(() => debianKeyring(folder)).toThrow(/apt-get install debian-archive-keyring$/);
  writeFileSync(join(folder, "debian-archive-keyring.pgp"), "");
  expect(debianKeyring(folder)).toBe(join(folder, "debian-archive-keyring.pgp"));
});
