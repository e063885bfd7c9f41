import { expect, it } from "vitest";
import { listOf, nearestName, nearestPaths, suggest } from "./nearest-name.ts";

it("finds the name a slip of the finger meant", () => {
  const known = ["memory", "maxmem", "vcpus", "virtioMem"];
  const typed = ["memroy", "Memory", "maxmen", "virtiomem", "virtio-mem", "cpus"];
  expect(typed.map((name) => nearestName(name, known))).toEqual([
    "memory",
    "memory",
    "maxmem",
    "virtioMem",
    "virtioMem",
    "vcpus",
  ]);
});

it("suggests nothing for a name that is like none", () => {
  expect(nearestName("xylophone", ["memory", "vcpus"])).toBeUndefined();
  expect(suggest("xylophone", ["memory", "vcpus"])).toBe("use memory or vcpus");
  expect(nearestName("m".repeat(1e6), ["memory"])).toBeUndefined();
});

it("lists names the way a sentence does", () => {
  expect([listOf([]), listOf(["a"]), listOf(["a", "b", "c"]), listOf(["a", "b", "c"], 2)]).toEqual([
    "",
    "a",
    "a, b or c",
    "a, b ...",
  ]);
});

it("names those of many paths that are nearest, never more than three", () => {
  const known = [
    "boot",
    "bugs/B17-shared",
    "bugs/B18-never-accepted",
    "bugs/B19-replug-fails",
    "dimm-replug",
    "tide-dimm",
  ];
  expect(
    ["B18-never-acepted", "bugs/B18-never-acepted", "B19", "bugs/b1", "plug a dimm", "xylophone", ""].map(
      (typed) => nearestPaths(typed, known).join(" "),
    ),
  ).toEqual([
    "bugs/B18-never-accepted",
    "bugs/B18-never-accepted",
    "bugs/B19-replug-fails",
    "bugs/B17-shared bugs/B18-never-accepted bugs/B19-replug-fails",
    "tide-dimm dimm-replug boot",
    "boot bugs/B17-shared tide-dimm",
    "boot bugs/B17-shared bugs/B18-never-accepted",
  ]);
  expect(nearestPaths("m".repeat(1e6), known)).toHaveLength(3);
});
