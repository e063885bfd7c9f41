import { expect, it } from "vitest";
import { standardConfiguration } from "../../check/machine/configurations/standard-configurations.ts";
import { ModelWorld } from "../../scenario/model/model-world.ts";
import { main } from "../main.ts";
import { fakeSystem } from "../testing/fake-system.ts";
import type { OpenWorld } from "../worlds.ts";

const LONG = { timeout: 600_000 };

/** The model in the place of a real kernel, with what that world sees. */
class StandIn extends ModelWorld {
  readonly invariants = new Set(["I1", "I2", "I3"]);
}
const openWorld: OpenWorld = async () => new StandIn();

const saved = async (design: string, rules: string): Promise<string> => {
  const system = fakeSystem({});
  const args = ["check", design, "--config", "grow-shrink", "--rules", rules, "--save", "s.json"];
  expect(await main(args, system)).toBe(1);
  return system.files.get("s.json")!;
};

it("a story of an operator breaks its rule in the linux world as well", LONG, async () => {
  const text = await saved("notifier", "I2");
  const system = fakeSystem({ "s.json": text });
  expect([await main(["run", "s.json", "--world", "linux"], system, openWorld), system.err()]).toEqual([
    1,
    "",
  ]);
  expect(system.out()).toMatch(/\nbroken: I2 breaks on the real kernel too\n$/);
  const json = fakeSystem({ "s.json": text });
  expect(await main(["run", "s.json", "--world", "linux", "--json"], json, openWorld)).toBe(1);
  expect(JSON.parse(json.out())).toMatchObject({
    ...{ verdict: "broken", rule: "I2" },
    configuration: { ...standardConfiguration("grow-shrink", "notifier"), rules: ["I2"] },
  });
});

it("a rule that the linux world does not see is refused with one line", LONG, async () => {
  const system = fakeSystem({ "s.json": await saved("bitmaps", "I15") });
  expect([await main(["run", "s.json", "--world", "linux"], system, openWorld), system.out()]).toEqual([
    3,
    "",
  ]);
  expect(system.err()).toMatch(
    /^s\.json: the linux world cannot replay this story: it breaks I15, and the \w+ world sees I1, I2, I3 and how the guest ends\n$/,
  );
});
