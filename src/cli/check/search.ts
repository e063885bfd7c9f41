import { type CheckedMachine, checkMachine, type MachineSearch } from "../../check/machine/check-machine.ts";
import type { MachineConfiguration } from "../../check/machine/configurations/configuration.ts";
import { learnPatiently } from "../../check/machine/learn.ts";
import { livenessOf } from "../../check/machine/liveness.ts";
import { shrinkStory } from "../../check/machine/shrinking/shrink-machine.ts";
import { type WalkedMachine, walkMachine } from "../../check/machine/walk-machine.ts";
import type { Counts } from "../../check/result.ts";
import type { EndedLive } from "../../check/story/render-check.ts";
import type { Story } from "../../check/story/story.ts";
import { type MachineSearchOptions, machineDive, machineSearch } from "../../check-run/machine-search.ts";
import { Interruption } from "../interruption.ts";
import { Progress } from "../progress.ts";
import type { System } from "../system.ts";
import { CheckProgress } from "./check-progress.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { SearchSettings } from "./options.ts";

/** Milliseconds that a search has to write its states down and to say what is known. A second signal ends it at once. */
const GRACE_MS = 60_000;

/** Milliseconds of walks between two looks at what happens outside. */
const TURN_MS = 100;

/** What a search came to, and how long it took: of the clock, so it is shown and no result. */
export type Timed<T> = T & { readonly ms: number };

/** The same search, which says so when it is made once more: a step changed memory that nobody had seen change. */
export const tellingOfMore = (search: MachineSearch, anew: () => void): MachineSearch => {
  let searches = 0;
  return (system) => {
    if (searches++ > 0) anew();
    return search(system);
  };
};

/** Searches one configuration after the other, says how far it is, and stops at a signal. */
export class Search {
  private readonly system: System;
  readonly settings: SearchSettings;
  private readonly checkpoints: Checkpoints | undefined;
  private readonly progress: Progress;
  private readonly interruption: Interruption;

  constructor(system: System, settings: SearchSettings, checkpoints: Checkpoints | undefined) {
    this.system = system;
    this.settings = settings;
    this.checkpoints = checkpoints;
    this.progress = new Progress(system);
    this.interruption = new Interruption(system, GRACE_MS);
    this.interruption.listen();
  }

  /** The exit status that a signal asked for. */
  get stopped(): number | undefined {
    return this.interruption.status;
  }

  /** @returns undefined if a signal came before it met the first state */
  async explore(configuration: MachineConfiguration): Promise<Timed<CheckedMachine> | undefined> {
    const { system, checkpoints } = this;
    if (!(await this.goesOn())) return undefined;
    const begun = system.clock();
    const known = await checkpoints?.resultOf(configuration);
    const checked = known ?? (await this.search(configuration));
    this.progress.clear();
    return checked && { ...checked, ms: system.clock() - begun };
  }

  private async search(configuration: MachineConfiguration): Promise<CheckedMachine | undefined> {
    const { system, progress, settings, checkpoints } = this;
    const line = new CheckProgress(configuration.name, progress, system);
    const keep = checkpoints?.keepOf(configuration);
    const knowledge = keep?.knowledge ?? (await learnPatiently(configuration, () => this.goesOn()));
    if (knowledge === undefined) return undefined;
    const { threads, limits, exact, seed, reductions } = settings;
    const options: MachineSearchOptions = {
      ...{ threads, limits, exact, seed, reductions, keep },
      progress: (counts: Counts) => {
        line.counted(counts);
        return this.goesOn();
      },
    };
    const search = settings.search === "depth" ? machineDive(options) : machineSearch(options);
    const telling = tellingOfMore(search, () => line.beganAnew());
    const searched = await checkMachine(configuration, { search: telling, knowledge });
    const checked = { ...searched, story: await this.shrunk(searched.story, searched.shortest) };
    if (keep !== undefined) checkpoints?.note(checked, keep);
    return checked;
  }

  /** What is told of what was found. Breadth first finds no longer story than need be. */
  private async shrunk(story: Story | null, shortest: boolean): Promise<Story | null> {
    const { shrink } = this.settings;
    if (story === null || !shrink || this.stopped !== undefined) return story;
    this.progress.say(`${story.configuration.name}: shrinking the story`);
    return shrinkStory(story, { shortest, between: () => this.goesOn() });
  }

  /** Walks in place of a search. @returns undefined if a signal came before the first of them */
  async walk(configuration: MachineConfiguration): Promise<Timed<WalkedMachine> | undefined> {
    const { system, progress, settings } = this;
    if (!(await this.goesOn())) return undefined;
    const begun = system.clock();
    const { walker, walks, steps, seed: firstSeed } = settings;
    const line = new CheckProgress(configuration.name, progress, system);
    const knowledge = await learnPatiently(configuration, () => this.goesOn());
    if (knowledge === undefined) return undefined;
    let looked = Date.now();
    const walked = await walkMachine(configuration, {
      ...{ walker, walks, steps, firstSeed, knowledge },
      isDue: () => Date.now() - looked >= TURN_MS,
      between: (taken, stepsTaken) => {
        looked = Date.now();
        line.walked(taken, stepsTaken);
        return this.goesOn();
      },
    });
    progress.clear();
    return { ...walked, story: await this.shrunk(walked.story, false), ms: system.clock() - begun };
  }

  /** Whether all that is begun ends. @returns undefined if a signal came before it began */
  async live(configuration: MachineConfiguration): Promise<Timed<EndedLive> | undefined> {
    const { system, progress, settings } = this;
    if (!(await this.goesOn())) return undefined;
    const begun = system.clock();
    const line = new CheckProgress(configuration.name, progress, system);
    const live = await livenessOf(configuration, {
      states: settings.limits.states ?? Number.POSITIVE_INFINITY,
      between: (states) => {
        line.graphed(states);
        return this.goesOn();
      },
    });
    progress.clear();
    const short = this.stopped === undefined ? "states" : "interrupted";
    const end = ({ ends: "complete", broken: "violation", partial: short } as const)[live.verdict];
    return { ...live, end, ms: system.clock() - begun };
  }

  /** Hears signals. After one it waits no more: what is known is to be printed at once. */
  private async goesOn(): Promise<boolean> {
    if (this.stopped === undefined) await this.system.breathe();
    return this.stopped === undefined;
  }

  close(): void {
    this.progress.clear();
    this.interruption.close();
  }
}
