import { expect, it } from "vitest";
import { checkMachine } from "../check-machine.ts";
import { standardConfiguration } from "../configurations/standard-configurations.ts";
import { shrinkStory } from "./shrink-machine.ts";
import { smallerConfigurations } from "./smaller.ts";

const LONG = { timeout: 900_000 };
const grown = { ...standardConfiguration("grow-shrink", "bitmaps")!, rules: ["I15"] };

it("a story is told in a machine without its user, in no more steps", LONG, async () => {
  const { story } = await checkMachine(grown);
  const shrunk = await shrinkStory(story!, { shortest: true });
  expect([shrunk.broken, shrunk.violation, shrunk.path.length]).toEqual([true, story!.violation, 33]);
  expect(shrunk.configuration).toMatchObject({ name: "grow-shrink, smaller", vcpus: 1 });
  expect(shrunk.configuration.programs.map(({ by }) => by)).toEqual(["operator"]);
});

it(
  "a story that is stopped before the first smaller machine is as short as it was, in its own machine",
  LONG,
  async () => {
    const { story } = await checkMachine(grown);
    const asked: number[] = [];
    const between = async (tried: number): Promise<boolean> => asked.push(tried) === 0;
    const shrunk = await shrinkStory(story!, { shortest: true, between });
    expect([asked, shrunk.configuration, shrunk.path.length]).toEqual([[0], grown, 33]);
  },
);

it("a machine is smaller by units first, then vCPUs, then the fault, then what people do", () => {
  const told = (name: string, change = {}) =>
    smallerConfigurations({ ...standardConfiguration(name, "tide")!, ...change }).map((smaller) => [
      smaller.device.units,
      smaller.vcpus,
      smaller.fault === null,
      smaller.programs.flatMap(({ deeds }) => deeds).length,
    ]);
  // One block each is the least there is; without its second vCPU a machine has no user.
  expect(told("unplug-busy")).toEqual([
    [2, 1, false, 2],
    [2, 2, true, 3],
    [2, 2, false, 1],
    [2, 2, false, 2],
    [2, 2, false, 2],
    [2, 2, false, 2],
    [2, 2, false, 3],
  ]);
  expect(told("grow-shrink", { programs: [], device: { kind: "virtio-mem", units: 4 } })).toEqual([]);
});

it("nobody frees in a smaller machine what nobody allocates there", () => {
  for (const { before } of smallerConfigurations(standardConfiguration("moved-or-freed", "tide")!))
    expect(before).toContainEqual({ do: "allocate", units: 1, as: "heap" });
});
