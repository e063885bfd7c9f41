import { basename } from "node:path";
import { expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { fakeSystem } from "../../src/cli/testing/fake-system.ts";
import { openWorld } from "../../src/cli/worlds.ts";
import { load } from "../model-machine.ts";
import { sharedFiles } from "../shared-data.ts";

const FILES = [
  ...sharedFiles("acpi", /SRAT.*\.(?:dat|txt)$/),
  ...sharedFiles("logs", /\.(?:log|dmesg)$/),
  ...sharedFiles("proc", /iomem/),
];
/** Larger machines are only loaded: they boot in seconds each. */
const MOST_PLAYED = 8 * 2 ** 30;

/** The scenario of a machine, or what it lacks. */
const scenarioOf = async (path: string): Promise<{ text: string | undefined; said: string }> => {
  const system = fakeSystem({});
  await main(["inspect", path, "--scenario", "m.yaml"], system, openWorld);
  return { text: system.files.get("m.yaml"), said: system.err() };
};

it.skipIf(FILES.length === 0)(
  "every machine of the collection whose RAM is told boots as a scenario (needs the shared artifacts)",
  async () => {
    let played = 0;
    for (const path of FILES) {
      const { text, said } = await scenarioOf(path);
      if (text === undefined) {
        expect(said, basename(path)).toMatch(/^--scenario m\.yaml: expected .*RAM.*, found .*\n$/);
        continue;
      }
      if (load(text).machine.memory > MOST_PLAYED) continue;
      const runner = fakeSystem({ "m.yaml": text });
      expect([basename(path), await main(["run", "m.yaml"], runner, openWorld)]).toEqual([basename(path), 0]);
      played++;
    }
    expect(played).toBeGreaterThan(10);
  },
  600_000,
);
