import { expect, it } from "vitest";
import { listOf, nearestName, suggest } from "./nearest-name.ts";

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
