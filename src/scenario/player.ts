import { checkCounters, checkWaits } from "./askable.ts";
import { assembleReport, picture } from "./assemble-report.ts";
import { CounterCurves } from "./curves.ts";
import { deathStatus, expectsDeath } from "./death.ts";
import type { Expectation } from "./expectation.ts";
import { expectationsOf } from "./expectations-of.ts";
import { judge } from "./judge.ts";
import { Observation } from "./observation.ts";
import { OopsWatch } from "./oops-watch.ts";
import { formatDuration } from "./quantity.ts";
import type { Judgement, MapPicture, PlayedStep, RunReport } from "./report.ts";
import type { Action, Scenario, Step } from "./scenario.ts";
import { momentText, stepText } from "./step-text.ts";
import { TranscriptFold } from "./transcript.ts";
import { type Counter, type Outcome, SUCCESS, type TraceEvent, type World } from "./world.ts";

export interface PlayOptions {
  /** Version of Tidemark, for the report. */
  readonly version: string;
  /** Every machine step, with the line of the scenario it was done for. The event is valid during the call. */
  readonly onEvent?: (event: TraceEvent, line: number) => void;
  /** Called before each step of the scenario is played. */
  readonly onStep?: (step: Step, index: number, of: number) => void;
  /** Called after each step that acts, with how it went. The world may be asked; its answers of before are gone. */
  readonly onStepped?: (step: Step, played: PlayedStep) => Promise<void>;
  /** Keep a picture of the memory map after every step. */
  readonly frames?: boolean;
  /** Judge only: the report has no transcript, no curves and no pictures. */
  readonly lean?: boolean;
}

export interface Played {
  readonly report: RunReport;
  /** The map before the first step and after each that acted; empty unless asked for. */
  readonly frames: readonly MapPicture[];
}

/**
 * Plays a scenario in a world and judges it.
 *
 * @throws ScenarioError if an expectation names a counter that the world does not have, or a wait is for what it cannot
 *   tell; whatever the world throws
 */
export const play = async (scenario: Scenario, world: World, options: PlayOptions): Promise<Played> => {
  const player = new Player(scenario, world, options);
  try {
    return await player.play();
  } finally {
    await world.stop();
  }
};

class Player {
  private readonly scenario: Scenario;
  private readonly world: World;
  private readonly options: PlayOptions;
  private readonly transcript = new TranscriptFold();
  private readonly curves = new CounterCurves();
  private readonly judgements: Judgement[] = [];
  private readonly oopses: OopsWatch;
  private readonly played: PlayedStep[] = [];
  private readonly frames: MapPicture[] = [];
  private before: MapPicture | undefined;
  private countersBefore: readonly Counter[] = [];
  private lastStep = 0;
  private line = 0;
  private earlier: readonly Counter[] = [];
  private death = "SKIPPED";
  private outcome: Outcome = { status: SUCCESS, detail: "" };

  constructor(scenario: Scenario, world: World, options: PlayOptions) {
    this.scenario = scenario;
    this.world = world;
    this.oopses = new OopsWatch(world);
    this.options = options;
  }

  async play(): Promise<Played> {
    const { scenario, world } = this;
    world.onEvent((event) => {
      this.hear(event);
    });
    checkWaits(scenario, world);
    await world.start(scenario);
    checkCounters(scenario, world.name, await world.counters());
    await this.sample();
    const acting = scenario.steps.filter(({ kind }) => kind !== "expect" && kind !== "note");
    // What a boot alone does is seen from power-on; what is done to a running machine, from its boot on.
    const isBootAlone = acting.length < 2 || acting[0]!.kind !== "boot";
    if (isBootAlone || this.options.frames === true) await this.look(acting[0]);
    for (const [index, step] of scenario.steps.entries()) {
      this.options.onStep?.(step, index, scenario.steps.length);
      await this.playStep(step, scenario.steps[index + 1]);
      if (step.kind === "expect" || step.kind === "note") continue;
      await this.oopses.look(step.place);
      await this.options.onStepped?.(step, this.played.at(-1)!);
      await this.sample();
      if (this.options.frames === true) this.frames.push(await this.picture(momentText("after", step)));
      if (!isBootAlone && step === acting[0]) await this.look(acting[1]);
    }
    await this.judgeEnd();
    const report = await assembleReport({
      scenario,
      world,
      version: this.options.version,
      before: this.before!,
      after: await this.picture(momentText("after", acting.at(-1))),
      countersBefore: this.countersBefore,
      judgements: this.judgements,
      played: this.played,
      transcript: this.transcript.finish(),
      curves: this.curves.finish(),
    });
    return { report, frames: this.frames };
  }

  private async judgeEnd(): Promise<void> {
    const { scenario, oopses } = this;
    await this.judgeAll(scenario.expect);
    await this.judgeDeclaredBreaks();
    await this.judgeFaults();
    await oopses.look(scenario.steps.at(-1)!.place);
    this.judgements.push(...(await oopses.judgements(scenario)));
    await this.judgeLife();
  }

  private hear(event: TraceEvent): void {
    const { world } = this;
    this.lastStep = event.step;
    this.options.onEvent?.(event, event.line ?? this.line);
    if (this.options.lean === true) return;
    this.transcript.add(event);
    if (world.peekCounters === undefined || !this.curves.due()) return;
    this.curves.add(event.step, event.ns, world.peekCounters());
  }

  private async sample(): Promise<void> {
    if (this.options.lean === true) return;
    this.curves.add(this.lastStep, await this.world.now(), await this.world.counters());
  }

  private async picture(label: string): Promise<MapPicture> {
    if (this.options.lean !== true) return picture(this.world, label);
    return { label, ns: await this.world.now(), runs: [], leftOut: 0 };
  }

  /** Keeps what `before` means in the report: the map and the counters as they are now. */
  private async look(next: Step | undefined): Promise<void> {
    this.before = await this.picture(momentText("before", next));
    this.countersBefore = await this.world.counters();
    if (this.options.frames === true && this.frames.length === 0) this.frames.push(this.before);
  }

  private async playStep(step: Step, next: Step | undefined): Promise<void> {
    this.line = step.place.line;
    if (step.kind === "expect") {
      await this.judgeAll(step.expectations);
      return;
    }
    this.transcript.begin(this.line);
    const startNs = await this.world.now();
    const firstStep = this.lastStep + 1;
    if (step.kind !== "note") {
      this.earlier = await this.world.counters();
      this.outcome = await this.act(step);
      this.lastStep = Math.max(this.lastStep, this.world.steps?.() ?? 0);
    }
    const endNs = await this.world.now();
    const { status, detail } = step.kind === "note" ? { status: "", detail: "" } : this.outcome;
    const { line, lastStep } = this;
    const what = stepText(step);
    this.played.push({ line, kind: step.kind, what, status, detail, startNs, endNs, firstStep, lastStep });
    if (step.kind !== "note") this.judgeSuccess(step, next);
  }

  private async act(step: Exclude<Step, { kind: "expect" | "note" }>): Promise<Outcome> {
    const { state } = await this.world.fate();
    const dead = state !== "running" && state !== "off";
    if (dead && step.kind !== "reset") {
      this.death = deathStatus(state);
      return { status: "SKIPPED", detail: `the machine is ${state}` };
    }
    if (step.kind === "wait") return this.wait(step);
    return this.world.perform(step satisfies Action);
  }

  /** Each step succeeds, unless the next one says what else it answers. What a dead machine skips is no news. */
  private judgeSuccess(step: Step, next: Step | undefined): void {
    const { status, detail } = this.outcome;
    if (status === SUCCESS || status === "SKIPPED") return;
    const speaks = (expectations: readonly Expectation[]) =>
      expectations.some(({ kind }) => kind === "status");
    if (next?.kind === "expect" && speaks(next.expectations)) return;
    if (next === undefined && speaks(this.scenario.expect)) return;
    if (this.world.wavers === true && expectsDeath(this.scenario, status)) return;
    const { line, column } = step.place;
    const found = detail === "" ? status : `${status} (${detail})`;
    this.judgements.push({
      line,
      column,
      what: stepText(step),
      held: false,
      expected: SUCCESS,
      found,
      implicit: true,
    });
  }

  /** A step that a dead machine skipped answers what one that met its death would. */
  private observe(): Observation {
    const { status } = this.outcome;
    return new Observation(this.world, status === "SKIPPED" ? this.death : status, this.earlier);
  }

  private async judgeAll(expectations: readonly Expectation[]): Promise<void> {
    const seen = this.observe();
    for (const expectation of expectations) this.judgements.push(await judge(expectation, seen));
  }

  private async judgeDeclaredBreaks(): Promise<void> {
    const seen = this.observe();
    for (const { invariant, place } of this.scenario.mustBreak)
      this.judgements.push(await judge({ kind: "broken", invariant, place }, seen));
  }

  /** A fault that never struck shows nothing: the scenario says something else than it seems to. */
  private async judgeFaults(): Promise<void> {
    for (const fault of (await this.world.faults?.()) ?? []) {
      const { call, at, answer, optional, line, column, seen, struck } = fault;
      if (optional || struck > 0) continue;
      const what = `fault ${call} at ${at} (${answer})`;
      const found = `never: ${seen} such call${seen === 1 ? "" : "s"}`;
      this.judgements.push({ line, column, what, held: false, expected: "struck", found, implicit: true });
    }
  }

  /** A machine that dies unannounced fails the run, even if every step was answered well. */
  private async judgeLife(): Promise<void> {
    const { state, why } = await this.world.fate();
    if (state === "running" || state === "off") return;
    const named = [...this.scenario.expect, ...this.scenario.steps.flatMap(expectationsOf)];
    if (named.some(({ kind }) => kind === "machine" || kind === "status")) return;
    if (this.judgements.some(({ held }) => !held)) return;
    const { line, column } = this.scenario.steps.at(-1)!.place;
    const found = why === "" ? state : `${state} (${why})`;
    this.judgements.push({
      line,
      column,
      what: "machine running",
      held: false,
      expected: "running",
      found,
      implicit: true,
    });
  }

  private async wait(step: Step & { kind: "wait" }): Promise<Outcome> {
    const { world } = this;
    const start = await world.now();
    const span = step.for.kind === "time" ? step.for.ns : step.timeoutNs;
    const deadline = start + span;
    for (;;) {
      const unmet = await this.unmet(step);
      if (unmet === "") return { status: SUCCESS, detail: "" };
      const over = (await world.now()) >= deadline;
      if (step.for.kind === "time" && over) return { status: SUCCESS, detail: "" };
      if (over) return { status: "TIMEOUT", detail: `after ${formatDuration(span)}: ${unmet}` };
      if (step.for.kind === "condition" && (await world.idle())) {
        return { status: "TIMEOUT", detail: `the machine is idle: ${unmet}` };
      }
      await world.elapse(deadline);
      await this.sample();
    }
  }

  /** What the wait still lacks, in words; empty if nothing. */
  private async unmet({ for: wanted }: Step & { kind: "wait" }): Promise<string> {
    if (wanted.kind === "time") return "time";
    if (wanted.kind === "idle") return (await this.world.idle()) ? "" : "not idle";
    const seen = this.observe();
    const lacking: string[] = [];
    for (const expectation of wanted.expectations) {
      const { held, what, found } = await judge(expectation, seen);
      if (!held) lacking.push(`${what}, found ${found}`);
    }
    return lacking.join("; ");
  }
}
