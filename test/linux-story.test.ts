import { describe, expect, it } from "vitest";
import { checkMachine } from "../src/check/machine/check-machine.ts";
import { standardConfiguration } from "../src/check/machine/configurations/standard-configurations.ts";
import { MachineSystem } from "../src/check/machine/system.ts";
import { forcedStory } from "../src/check/story/forced-deeds.ts";
import { storyOf } from "../src/check/story/story.ts";
import { storyFile } from "../src/check/story/story-file.ts";
import { scenarioOfStory, scheduleOfStory } from "../src/check/story/story-scenario.ts";
import { asked, isAccepting, isSettled, MACHINE } from "../src/check/story/testing/amid-accept.ts";
import { TAKEN } from "../src/check/system.ts";
import { main } from "../src/cli/main.ts";
import { fakeSystem } from "../src/cli/testing/fake-system.ts";
import { openWorld } from "../src/cli/worlds.ts";
import { LinuxWorld } from "../src/lab/world/linux-world.ts";
import { play } from "../src/scenario/player.ts";
import { LAB_NEEDS, LAB_READY } from "./linux-lab.ts";
import { load } from "./model-machine.ts";

/** An emulated guest on a busy machine takes its time. One that hangs is told of long before. */
const PATIENCE = { timeout: 1_200_000 };

/** What a search finds of one configuration of `bitmaps`, for one rule. */
const found = async (name: string, rule: string) => {
  const configuration = { ...standardConfiguration(name, "bitmaps")!, rules: [rule] };
  const { story } = await checkMachine(configuration);
  return { configuration, story: story! };
};

/** Status, errors and last line of a story's replay on a real kernel. */
const replayed = async (text: string) => {
  const system = fakeSystem({ "s.json": text });
  const status = await main(["run", "s.json", "--world", "linux"], system, openWorld);
  return [status, system.err(), system.out().trimEnd().split("\n").at(-1)];
};
const BROKEN = [1, "", "broken: I2 breaks on the real kernel too"];

describe.skipIf(!LAB_READY)(`a story whose order within a deed counts${LAB_NEEDS}`, () => {
  it.each(["accept-below-offline", "accept-beside-unplug"])(
    "%s: memory is accepted between the device's answer to UNPLUG and what the design makes of it",
    PATIENCE,
    async (name) => {
      const { configuration, story } = await found(name, "I2");
      expect(await replayed(storyFile(configuration, story))).toEqual(BROKEN);
    },
  );

  it(
    "a unit is unplugged while another vCPU is in accept_memory(), past its look at the bits",
    PATIENCE,
    async () => {
      const way = asked()
        .until(/^user/, isAccepting)
        .step(/^virtio-mem/)
        .until(/^vmm vm0/, isSettled);
      while (way.result <= TAKEN) way.step(/^user|^vmm@vcpu1/);
      const story = storyOf(new MachineSystem(MACHINE), { path: way.path, atRest: false });
      expect(story.violation).toMatch(/^I2:/);
      expect(await replayed(storyFile(MACHINE, story))).toEqual(BROKEN);
    },
  );

  it("the same deeds, one after the other, break nothing", PATIENCE, async () => {
    const { configuration, story } = await found("accept-below-offline", "I2");
    const forced = await forcedStory(configuration, story.path);
    expect(scheduleOfStory(configuration, forced)).toHaveLength(2);
    const scenario = load(scenarioOfStory(configuration, forced, story.violation));
    const { report } = await play(scenario, new LinuxWorld(), { version: "test" });
    expect([report.violations, report.fate.state]).toEqual([[], "running"]);
  });
});
