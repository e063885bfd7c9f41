import { BreadthFirst } from "../../src/check/breadth-first.ts";
import type {
  Deed,
  MachineConfiguration,
  Program,
} from "../../src/check/machine/configurations/configuration.ts";
import { SMALLEST } from "../../src/check/machine/configurations/standard-configurations.ts";
import type { Reductions } from "../../src/check/machine/reductions/reductions.ts";
import { searchMachine } from "../../src/check/machine/search-machine.ts";

const resize = (to: number): Deed => ({ do: "resize", to });
const allocates = (user: number, as: string): Program => ({
  by: { user },
  deeds: [{ do: "allocate", units: 1, as }],
  when: "any time",
});

/** Four vCPUs, a virtio-mem device of eight sub-blocks that is plugged whole and given back, and `bitmaps`; three users. */
const FULL_SYSTEM: MachineConfiguration = {
  name: "full-system",
  design: "bitmaps",
  ...SMALLEST,
  vcpus: 4,
  device: { kind: "virtio-mem", units: 8 },
  programs: [
    { by: "operator", deeds: [resize(8), resize(0)], when: "at rest" },
    allocates(1, "heap"),
    allocates(2, "cache"),
    allocates(3, "data"),
  ],
};

/** What a search of the machine itself came to in its time. Seconds are of the processor. */
export interface SearchedMachine {
  readonly states: number;
  readonly transitions: number;
  readonly frontier: number;
  readonly depth: number;
  readonly seconds: number;
  readonly visitedBytes: number;
  readonly frontierBytes: number;
}

/** So many stretches of the frontier are expanded between two looks at the processor's time. */
const ASKS = 32;

const secondsSince = (before: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
};

/** Explores the full system breadth first for so many seconds of processor time. What it finds out before does not count. */
export const searchFullSystem = (seconds: number, reductions: Reductions): Promise<SearchedMachine> =>
  searchMachine(FULL_SYSTEM, (system) => {
    system.reduce(reductions);
    const begun = process.cpuUsage();
    // To ask for the processor's time takes as long as dozens of states.
    let asked = 0;
    const between = () => ++asked % ASKS !== 0 || secondsSince(begun) < seconds;
    const search = new BreadthFirst(system, { after: "continue", between });
    search.begin();
    const { states, transitions, frontier, depth } = search.run();
    const { visited, links, frontier: frontierBytes } = search.memory;
    const measured = { seconds: secondsSince(begun), visitedBytes: visited + links, frontierBytes };
    return { states, transitions, frontier, depth, ...measured };
  });
