import { sep } from "node:path";
import { expect, it } from "vitest";
import { bundledNames, bundledPath } from "./bundled.ts";

it("a name means the scenario outside the folders where one inside has it too", () => {
  expect(bundledNames()).toContain("linux/virtio-mem-replug");
  expect(bundledPath("virtio-mem-replug")?.split(sep).slice(-2)).toEqual([
    "scenarios",
    "virtio-mem-replug.yaml",
  ]);
});

it("a name finds the scenario of a folder where only that has it", () => {
  const path = bundledPath("B22-srat-entry-below-a-unit.yaml");
  expect(path?.split(sep).slice(-2)).toEqual(["bugs", "B22-srat-entry-below-a-unit.yaml"]);
});
