import { type Walker, walkRandomly } from "../random-walks.ts";
import type { Story } from "../story/story.ts";
import { toldOf } from "./check-machine.ts";
import type { MachineConfiguration } from "./configurations/configuration.ts";
import type { Knowledge } from "./memory/footprint.ts";
import { searchMachine } from "./search-machine.ts";
import type { MachineSystem } from "./system.ts";

/** What random walks through one configuration came to: they tell of the states that they met, and of no other. */
export interface WalkedMachine {
  readonly configuration: MachineConfiguration;
  readonly verdict: "broken" | "partial";
  readonly end: "walks" | "violation" | "interrupted";
  /** Walks taken, from `firstSeed` on; the last one is that of the story. */
  readonly walks: number;
  readonly firstSeed: number;
  readonly steps: number;
  /** Walks that came to rest. */
  readonly rested: number;
  readonly broken: readonly string[];
  readonly story: Story | null;
}

export interface MachineWalks {
  readonly walker: Walker;
  readonly firstSeed: number;
  readonly walks: number;
  /** Steps after which a walk ends. */
  readonly steps: number;
  /** What is known of the memory that changes; it is found out if absent. */
  readonly knowledge?: Knowledge;
  /** Called after some walks. @returns false to end here */
  readonly between?: (walks: number, steps: number) => Promise<boolean>;
  /** Whether it is time to call `between`. */
  readonly isDue?: () => boolean;
}

const walk = async (
  system: MachineSystem,
  { walker, firstSeed, walks: most, steps: longest, between, isDue = () => true }: MachineWalks,
): Promise<WalkedMachine> => {
  const { configuration } = system;
  const counts = { walks: 0, firstSeed, steps: 0, rested: 0 };
  for (;;) {
    const result = walkRandomly(system, {
      ...{ walker, steps: longest, stop: true },
      firstSeed: firstSeed + counts.walks,
      walks: most - counts.walks,
      between: () => between === undefined || !isDue(),
    });
    counts.walks += result.walks;
    counts.steps += result.steps;
    counts.rested += result.rested;
    if (result.violations.length > 0)
      return {
        ...{ configuration, verdict: "broken", end: "violation" },
        ...{ ...counts, ...toldOf(system, result.violations) },
      };
    const left = { configuration, verdict: "partial", ...counts, broken: [], story: null } as const;
    if (counts.walks === most) return { ...left, end: "walks" };
    if ((await between?.(counts.walks, counts.steps)) === false) return { ...left, end: "interrupted" };
  }
};

/** Walks through a configuration until something breaks or all walks were taken. The same walks have the same seeds. */
export const walkMachine = (
  configuration: MachineConfiguration,
  walks: MachineWalks,
): Promise<WalkedMachine> => searchMachine(configuration, (system) => walk(system, walks), walks.knowledge);
