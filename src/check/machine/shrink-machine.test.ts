import { expect, it } from "vitest";
import { checkMachine } from "./check-machine.ts";
import { shrinkStory, smallerMachines } from "./shrink-machine.ts";
import { standardConfiguration } from "./standard-configurations.ts";

const LONG = { timeout: 900_000 };
const grown = { ...standardConfiguration("grow-shrink", "bitmaps")!, rules: ["I15"] };

it("a story is told in a machine without its user, in no more steps", LONG, async () => {
  const { story } = await checkMachine(grown);
  const shrunk = shrinkStory(story!, true);
  expect([shrunk.broken, shrunk.violation, shrunk.path.length]).toEqual([true, story!.violation, 33]);
  expect(shrunk.configuration).toMatchObject({ name: "grow-shrink, smaller", vcpus: 1 });
  expect(shrunk.configuration.programs.map(({ by }) => by)).toEqual(["operator"]);
});

it("a machine is smaller by a block, a vCPU, the fault or a person, as far as what people do allows", () => {
  const { device, programs } = standardConfiguration("unplug-busy", "tide")!;
  const names = (name: string, change = {}) =>
    smallerMachines({ ...standardConfiguration(name, "tide")!, ...change }).map((smaller) => [
      smaller.device.units,
      smaller.vcpus,
      smaller.fault === null,
      smaller.programs.length,
    ]);
  expect([device.units, programs.length]).toEqual([2, 2]);
  // The user runs on the second vCPU, and the operator asks for both units.
  expect(names("unplug-busy")).toEqual([
    [2, 2, true, 2],
    [2, 2, false, 1],
    [2, 2, false, 1],
  ]);
  expect(names("grow-shrink", { programs: [], device: { kind: "virtio-mem", units: 4 } })).toEqual([
    [2, 2, true, 0],
    [4, 1, true, 0],
  ]);
});
