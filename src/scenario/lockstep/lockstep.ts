import { play } from "../player.ts";
import type { PlayedStep, RunReport } from "../report.ts";
import type { Scenario, Step } from "../scenario.ts";
import { stepText } from "../step-text.ts";
import type { TraceEvent, World } from "../world.ts";
import { BLOCK_QUANTITIES } from "./block-quantities.ts";
import { DEVICE_QUANTITIES } from "./device-quantities.ts";
import type { Difference, LockstepReport } from "./lockstep-report.ts";
import { MEMORY_QUANTITIES } from "./memory-quantities.ts";
import { type Both, type Pair, type Quantity, unlessSame } from "./quantity.ts";
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
    const { scenario, before } = this;
    this.before = { model, linux };
    if (!isAlive(model) || !isAlive(linux)) {
      this.booted = undefined;
      return;
    }
    if (STARTS.includes(model.step.kind)) this.booted = { model, linux };
    const pair: Pair = { scenario, model, linux, before, booted: this.booted };
    this.compared++;
    for (const { name, bound, compare } of STEP_QUANTITIES)
      for (const finding of compare(pair)) this.add(model.step, name, bound, finding);
  }

  /** @param seeable numbers of the invariants that both worlds can see broken */
  end(model: RunReport, linux: RunReport, seeable: ReadonlySet<string> | undefined): void {
    const broken = ({ violations }: RunReport): string => {
      const seen = violations.map(({ invariant }) => invariant);
      return (
        [...new Set(seen)]
          .filter((one) => seeable?.has(one) ?? true)
          .sort()
          .join(", ") || "none"
      );
    };
    const ends = [
      ["machine", (report: RunReport) => report.fate.state],
      ["broken invariants", broken],
      ["verdict", (report: RunReport) => report.verdict],
    ] as const;
    for (const [name, of] of ends)
      for (const finding of unlessSame("", of(model), of(linux))) this.add(undefined, name, 0, finding);
  }

  private add(
    step: Step | undefined,
    quantity: string,
    bound: number,
    values: Both<string> & { about: string },
  ): void {
    const { about, model, linux } = values;
    const line = step?.place.line ?? null;
    const index = step === undefined ? null : this.scenario.steps.indexOf(step) + 1;
    const what = step === undefined ? "the end" : stepText(step);
    this.differences.push({ step: index, line, what, quantity, about, bound, model, linux });
  }
}

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
  const playIn = async (name: keyof Both<World>, see: (sight: Sight) => void): Promise<RunReport> => {
    const world = worlds[name];
    options.onStart?.(name);
    const onStepped = async (step: Step, played: PlayedStep): Promise<void> =>
      see(await sightOf(world, step, played));
    const { report } = await play(scenario, world, {
      version: options.version,
      onStepped,
      onStep: (step, index, of) => options.onStep?.(step, index, of),
      onEvent: (event) => options.onEvent?.(event),
    });
    return report;
  };
  const model = await playIn("model", (sight) => void sights.push(sight));
  let next = 0;
  const linux = await playIn("linux", (sight) => comparison.step(sights[next++]!, sight));
  comparison.end(model, linux, worlds.linux.invariants);
  const { differences, compared } = comparison;
  const { file, name, title } = scenario;
  return {
    format: "tidemark-lockstep",
    formatVersion: 1,
    tidemark: options.version,
    scenario: { file, name, title },
    design: scenario.guest.design,
    seed: scenario.seed,
    result: differences.length === 0 ? "same" : "different",
    compared,
    differences,
    worlds: { model, linux },
  };
};
