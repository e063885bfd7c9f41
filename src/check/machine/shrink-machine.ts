import { tokensOf } from "../replay.ts";
import type { Violation } from "../result.ts";
import { shrink } from "../shrink.ts";
import { confirmedStory, type Story } from "../story/story.ts";
import type { MachineConfiguration, Program } from "./configuration.ts";
import type { Knowledge } from "./footprint.ts";
import { MachineSystem } from "./system.ts";
import { FootprintError } from "./untouched.ts";
import { numberOfText, VIOLATION } from "./violations.ts";

/** States that a search for a smaller configuration may meet. */
const MOST_STATES = 20_000;
const MOST_BYTES = 2 ** 28;

/** Stories that are tried in each machine. */
const MOST_STORIES = 200;
/** How often more is found out of the memory that changes before a story is left as it is. */
const MOST_TRIES = 20;

const usersOf = (programs: readonly Program[]): number[] =>
  programs.flatMap(({ by }) => (by === "operator" ? [] : [by.user]));

/** Units of the device that somebody asks for. */
const unitsAsked = ({ programs, before }: MachineConfiguration): number =>
  Math.max(
    0,
    ...[...before, ...programs.flatMap(({ deeds }) => deeds)].map((deed) =>
      deed.do === "resize" ? deed.to : 0,
    ),
  );

/** Configurations with less of something: a unit block, a vCPU, the fault, what one person does. */
export const smallerMachines = (configuration: MachineConfiguration): MachineConfiguration[] => {
  const { fault, programs, vcpus, device, staticUnits, blockUnits } = configuration;
  const units = device.units - blockUnits;
  const less: Partial<MachineConfiguration>[] = [
    ...(device.kind === "virtio-mem" && units >= Math.max(blockUnits, unitsAsked(configuration))
      ? [{ device: { ...device, units } }]
      : []),
    ...(staticUnits > blockUnits ? [{ staticUnits: staticUnits - blockUnits }] : []),
    ...(vcpus > 1 && usersOf(programs).every((user) => user < vcpus - 1) ? [{ vcpus: vcpus - 1 }] : []),
    ...(fault === null ? [] : [{ fault: null }]),
    ...programs.map((_, program) => ({ programs: programs.filter((_, other) => other !== program) })),
  ];
  const name = configuration.name.endsWith(SMALLER) ? configuration.name : configuration.name + SMALLER;
  return less.map((change) => ({ ...configuration, ...change, name }));
};

const SMALLER = ", smaller";

/** Opens machines, with all that was found out of each so far. */
class Machines {
  private readonly known = new Map<string, Knowledge>();
  private last = "";

  open(configuration: MachineConfiguration): MachineSystem {
    this.last = JSON.stringify(configuration);
    const system = new MachineSystem(configuration, this.known.get(this.last));
    this.known.set(this.last, system.knowledge);
    return system;
  }

  learn({ knowledge }: FootprintError): void {
    this.known.set(this.last, knowledge);
  }
}

/**
 * The story of a rule's violation with the fewest steps, then the fewest switches of actor, then in the smallest machine,
 * as far as a bounded number of attempts finds them; the same each time. A story of something that never comes about is left as it
 * is: no step of it is wrong.
 *
 * @param shortest whether it is known that no story of its machine has fewer steps
 */
export const shrinkStory = (story: Story, shortest: boolean): Story => {
  const machines = new Machines();
  const { configuration, path, atRest } = story;
  const violation = numberOfText(story.violation);
  if (violation === VIOLATION.ENDLESS || violation === VIOLATION.UNMET) return story;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    try {
      const system = machines.open(configuration);
      const tokens = tokensOf(system, path);
      system.verify();
      const shrunk = shrink<MachineConfiguration>(
        { configuration, tokens, path, violation, atRest },
        {
          open: (smaller) => machines.open(smaller),
          smaller: smallerMachines,
          limits: { states: MOST_STATES, bytes: MOST_BYTES },
          ...{ tries: MOST_STORIES, shortest },
        },
      );
      const found: Violation = { path: shrunk.path, atRest: shrunk.atRest, violation };
      return confirmedStory(machines.open(shrunk.configuration), found);
    } catch (error) {
      if (!(error instanceof FootprintError)) throw error;
      machines.learn(error);
    }
  }
  return story;
};
