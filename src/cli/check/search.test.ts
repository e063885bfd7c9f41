import { expect, it } from "vitest";
import { checkMachine } from "../../check/machine/check-machine.ts";
import { standardConfiguration } from "../../check/machine/configurations/standard-configurations.ts";
import { MachineSystem } from "../../check/machine/system.ts";
import { machineSearch } from "../../check-run/machine-search.ts";
import { tellingOfMore } from "./search.ts";

it("a search that begins anew says so, and counts the states of the last one only", {
  timeout: 600_000,
}, async () => {
  const configuration = standardConfiguration("moved-or-freed", "tide")!;
  const { knowledge } = new MachineSystem(configuration);
  // The stacks are deeper than this knows.
  const places = knowledge.places.map((known) => known.slice(0, Math.ceil(known.length * 0.9)));
  let anew = 0;
  const check = (places: typeof knowledge.places) =>
    checkMachine(configuration, {
      search: tellingOfMore(machineSearch({ threads: 1, limits: {} }), () => anew++),
      knowledge: { ...knowledge, places },
    });
  const whole = await check(knowledge.places);
  expect(anew).toBe(0);
  const again = await check(places);
  expect(anew).toBeGreaterThan(0);
  const countsOf = ({ states, transitions, depth, verdict }: typeof whole) => [
    states,
    transitions,
    depth,
    verdict,
  ];
  expect(countsOf(again)).toEqual(countsOf(whole));
});
