import { expect, it } from "vitest";
import { boot } from "../../../machine/boot.ts";
import { Machine } from "../../../machine/machine.ts";
import { stateOf } from "../../../machine/snapshot.ts";
import { machineConfigOf } from "../configurations/configuration.ts";
import { Programs } from "../configurations/programs.ts";
import { standardConfiguration } from "../configurations/standard-configurations.ts";
import { gather } from "./gather.ts";

/** Plays the programs of a configuration one after the other, each deed to its end. @returns what happened */
const play = (name: string, design: string, prepare: (machine: Machine, programs: Programs) => void) => {
  const configuration = standardConfiguration(name, design)!;
  const machine = new Machine(machineConfigOf(configuration));
  boot(machine);
  const programs = new Programs(machine, configuration);
  prepare(machine, programs);
  const events: object[] = [];
  machine.trace.raw = (event) => events.push({ ...event });
  while (!programs.done && !machine.halted) {
    const ready = programs.all.findIndex((_, program) => programs.isReady(program));
    programs.begin(ready);
    machine.settle();
  }
  return { events, log: machine.log.map(({ text }) => text), clocks: [...machine.scheduler.clocks] };
};

/** Takes memory away: whoever still has a view of it reads nothing there. */
const detach = (buffers: readonly ArrayBufferLike[]): void => {
  for (const buffer of buffers)
    if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
};

it.each([
  ["replug", "tide"],
  ["dimm-add-fails", "bitmaps"],
  ["three-vcpus", "callbacks"],
  ["unplug-busy", "notifier"],
])("%s of %s goes on in gathered memory, and nobody looks at the old", (name, design) => {
  const expected = play(name, design, () => {});
  const gathered = play(name, design, (machine, programs) => {
    const before = [...stateOf(machine).buffers, programs.places.buffer];
    gather(machine, [programs]);
    detach(before);
  });
  expect(expected.events.length).toBeGreaterThan(5);
  expect(gathered).toEqual(expected);
});
