import { expect, it } from "vitest";
import { chooseKernel, isOfLine, kernelSeries, parsePackages } from "./package-choice.ts";

const found = (name: string, version: string, ...depends: string[]) => ({ name, version, depends });
const split = (release: string): string[] =>
  ["base", "binary", "modules"].map((part) => `linux-${part}-${release}-cloud-amd64`);
const AVAILABLE = [
  found("linux-image-6.12.95+deb12-cloud-amd64-unsigned", "6.12.95-1~bpo12+1"),
  found("linux-image-6.12.117+deb12-cloud-amd64", "6.12.117-1~deb12u1"),
  found("linux-image-6.12.117+deb12-cloud-amd64-unsigned", "6.12.117-1~deb12u1"),
  found("linux-image-6.12.117+deb12-cloud-amd64-dbg", "6.12.117-1~deb12u1"),
  found("linux-image-6.12.118+deb12-amd64-unsigned", "6.12.118-1~deb12u1"),
  found("linux-image-6.1.0-56-cloud-amd64-unsigned", "6.1.192-2"),
  found("linux-image-6.18.15+deb13-cloud-amd64", "6.18.15-1~bpo13+1"),
  found("linux-image-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1", "dracut", ...split("7.3.4+deb13")),
  found("linux-image-7.3.9+deb13-cloud-amd64", "7.3.9-1~bpo13+1", "dracut", ...split("7.3.9+deb13")),
  found("linux-binary-7.3.9+deb13-cloud-amd64", "7.3.9-1~bpo13+1"),
  found("linux-binary-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1"),
  found("linux-modules-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1"),
  found("linux-base-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1"),
  found("linux-image-cloud-amd64", "7.3.4-1~bpo13+1"),
];
const choose = (line: string) => {
  const choice = chooseKernel(AVAILABLE, line);
  return choice && [choice.release, choice.known.name, ...choice.packages.map(({ name }) => name)];
};

it("the newest cloud kernel of the line is taken, as one package without a signature where there is one", () => {
  const name = "linux-image-6.12.117+deb12-cloud-amd64-unsigned";
  expect(choose("6.12")).toEqual(["6.12.117+deb12-cloud-amd64", name, name]);
});

it("a kernel that is only there signed is taken signed", () => {
  const name = "linux-image-6.18.15+deb13-cloud-amd64";
  expect(choose("6.18")).toEqual(["6.18.15+deb13-cloud-amd64", name, name]);
});

it("a kernel in three packages needs all three, or an older one is taken, and is known by its image's", () => {
  const release = "7.3.4+deb13-cloud-amd64";
  const three = split("7.3.4+deb13");
  expect(choose("newest")).toEqual([release, `linux-image-${release}`, ...three]);
});

it("a line without a kernel gives none", () => {
  expect(choose("6.11")).toBeUndefined();
  expect(kernelSeries(AVAILABLE)).toEqual(["6.1", "6.12", "6.18", "7.3"]);
});

it("a line is a series, and newest begins at 6.16", () => {
  expect(isOfLine("6.12.117+deb12", "6.1")).toBe(false);
  expect(isOfLine("6.12+deb12", "6.12")).toBe(true);
  expect(["6.12.1", "6.15.9", "6.16.0", "7.0.1"].map((release) => isOfLine(release, "newest"))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

it("a Packages file is read by its stanzas", () => {
  const text =
    "Package: a\nVersion: 1\nDepends: c (= 1), d | e:any (>= 0.1~),\n f+g\nDescription: x\n Package: no\n\nPackage: b\nVersion: 2\n";
  expect(parsePackages(text)).toEqual([found("a", "1", "c", "d", "e", "f+g"), found("b", "2")]);
});
