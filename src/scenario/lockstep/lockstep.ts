import { play } from "../player.ts";
import type { PlayedStep, RunReport } from "../report.ts";
import type { Scenario, Step } from "../scenario.ts";
import { stepText } from "../step-text.ts";
import type { TraceEvent, World } from "../world.ts";
import { BLOCK_QUANTITIES } from "./block-quantities.ts";
import { DEVICE_QUANTITIES } from "./device-quantities.ts";
import { endsOf } from "./ends.ts";
import type { Difference, LockstepReport } from "./lockstep-report.ts";
import { MEMORY_QUANTITIES } from "./memory-quantities.ts";
import { type Both, type Finding, type Pair, type Quantity, unlessSame } from "./quantity.ts";
import { type Sight, sightOf } from "./sight.ts";

/** What is compared after each step, in the order in which differences are told. */
export const STEP_QUANTITIES: readonly Quantity[] = [
  { name: "status", bound: 0, compare: ({ model, linux }) => unlessSame("", model.status, linux.status) },
  ...DEVICE_QUANTITIES,
  ...BLOCK_QUANTITIES,
  ...MEMORY_QUANTITIES,
];

export interface LockstepOptions {
  readonly version: string;
  /** Called before a world begins. */
  readonly onStart?: (world: keyof Both<World>) => void;
  readonly onStep?: (step: Step, index: number, of: number) => void;
  readonly onEvent?: (event: TraceEvent) => void;
}

/** How long a guest may take to settle after a step, by the clock of its world. */
const PATIENCE_NS = 15e9;

/** Steps after which another kernel has come up. */
const STARTS: readonly Step["kind"][] = ["boot", "reset", "kexec", "crash"];

const isAlive = ({ fate }: Sight): boolean => fate.state === "running";

/** Compares what two worlds show, step by step. */
class Comparison {
  readonly differences: Difference[] = [];
  /** Steps after which something was compared. */
  compared = 0;
  private readonly scenario: Scenario;
  private before: Both<Sight> | undefined;
  private booted: Both<Sight> | undefined;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
  }

  /**
   * When a machine dies is not a matter of rules, a real kernel touches memory when it likes: once one is dead, nothing is
   * compared but how both end.
   */
  step(model: Sight, linux: Sight): void {
    const found = this.differencesAt(model, linux);
    if (isAlive(model) && isAlive(linux)) this.compared++;
    this.booted = this.bootedAt(model, linux);
    this.before = { model, linux };
    this.differences.push(...found);
  }

  /** What differs after a step, if this is what the worlds show then. */
  differencesAt(model: Sight, linux: Sight): Difference[] {
    if (!isAlive(model) || !isAlive(linux)) return [];
    const { scenario, before } = this;
    const pair: Pair = { scenario, model, linux, before, booted: this.bootedAt(model, linux) };
    return STEP_QUANTITIES.flatMap(({ name, bound, compare }) =>
      compare(pair).map((finding) => this.difference(model.step, name, bound, finding)),
    );
  }

  private bootedAt(model: Sight, linux: Sight): Both<Sight> | undefined {
    if (!isAlive(model) || !isAlive(linux)) return undefined;
    return STARTS.includes(model.step.kind) ? { model, linux } : this.booted;
  }

  /** @param seeable numbers of the invariants that both worlds can see broken */
  end(model: RunReport, linux: RunReport, seeable: ReadonlySet<string> | undefined): void {
    const ends = endsOf(model, linux, seeable);
    for (const { name, ...values } of ends)
      for (const finding of unlessSame("", values.model, values.linux))
        this.differences.push(this.difference(undefined, name, 0, finding));
  }

  private difference(
    step: Step | undefined,
    quantity: string,
    bound: number,
    { about, model, linux }: Finding,
  ): Difference {
    const line = step?.place.line ?? null;
    const index = step === undefined ? null : this.scenario.steps.indexOf(step) + 1;
    const what = step === undefined ? "the end" : stepText(step);
    return { step: index, line, what, quantity, about, bound, model, linux };
  }
}

/**
 * What a world shows once it does not differ any more, or will not change that soon. A real kernel does more after a step
 * than the step waited for: a difference that goes away by itself is none.
 */
const settledSightOf = async (
  world: World,
  step: Step,
  played: PlayedStep,
  differs: (sight: Sight) => boolean,
): Promise<Sight> => {
  let sight = await sightOf(world, step, played);
  if (world.wavers !== true) return sight;
  const until = (await world.now()) + PATIENCE_NS;
  while (differs(sight) && (await world.now()) < until) {
    await world.elapse(until);
    sight = await sightOf(world, step, played);
  }
  return sight;
};

/**
 * Plays a scenario in both worlds and compares what both show after each step.
 *
 * The model is played first: it takes no time, and says before a guest is started if it cannot play this.
 *
 * @throws whatever the player or a world throws
 */
export const playBoth = async (
  scenario: Scenario,
  worlds: Both<World>,
  options: LockstepOptions,
): Promise<LockstepReport> => {
  const comparison = new Comparison(scenario);
  const sights: Sight[] = [];
  const playIn = async (
    name: keyof Both<World>,
    onStepped: (step: Step, played: PlayedStep) => Promise<void>,
  ): Promise<RunReport> => {
    options.onStart?.(name);
    const { report } = await play(scenario, worlds[name], {
      version: options.version,
      onStepped,
      onStep: (step, index, of) => options.onStep?.(step, index, of),
      onEvent: (event) => options.onEvent?.(event),
    });
    return report;
  };
  const model = await playIn("model", async (step, played) => {
    sights.push(await sightOf(worlds.model, step, played));
  });
  let next = 0;
  const linux = await playIn("linux", async (step, played) => {
    const expected = sights[next++]!;
    const differs = (sight: Sight): boolean => comparison.differencesAt(expected, sight).length > 0;
    comparison.step(expected, await settledSightOf(worlds.linux, step, played, differs));
  });
  comparison.end(model, linux, worlds.linux.invariants);
  return reportOf(scenario, options.version, comparison, { model, linux });
};

const reportOf = (
  scenario: Scenario,
  version: string,
  { differences, compared }: Comparison,
  worlds: Both<RunReport>,
): LockstepReport => {
  const { file, name, title } = scenario;
  return {
    format: "tidemark-lockstep",
    formatVersion: 1,
    tidemark: version,
    scenario: { file, name, title },
    design: scenario.guest.design,
    seed: scenario.seed,
    result: differences.length === 0 ? "same" : "different",
    compared,
    differences,
    worlds,
  };
};
