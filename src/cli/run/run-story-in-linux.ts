import { forcedStory, NotForcible } from "../../check/story/forced-deeds.ts";
import type { ScheduledStep } from "../../check/story/schedule.ts";
import type { SavedStory } from "../../check/story/story-file.ts";
import { scenarioOfStory, scheduleOfStory } from "../../check/story/story-scenario.ts";
import { NotModelled } from "../../not-modelled.ts";
import { loadScenario } from "../../scenario/load.ts";
import { play } from "../../scenario/player.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { renderTerminal } from "../../scenario/render/terminal.ts";
import type { RunReport } from "../../scenario/report.ts";
import { reportDocument } from "../../scenario/report-document.ts";
import type { Scenario, Step } from "../../scenario/scenario.ts";
import { oneLine } from "../../scenario/scenario-error.ts";
import { stepText } from "../../scenario/step-text.ts";
import { type World, WorldUnavailable } from "../../scenario/world.ts";
import { EXIT } from "../exit-status.ts";
import { Interruption } from "../interruption.ts";
import { Progress } from "../progress.ts";
import { screenOf } from "../screen.ts";
import type { System } from "../system.ts";
import { VERSION } from "../version.ts";
import { DESIGNS, type OpenWorld } from "../worlds.ts";
import { linuxWorldOptions, type RunOptions } from "./run.ts";

/** Ends of a story, as a report names them. */
const FATES: { readonly [end: string]: string } = { panic: "panicked", killed: "killed" };

/** Id of what a story breaks. */
const ruleOf = ({ violation }: SavedStory): string => violation.slice(0, violation.indexOf(":"));

const cannot = (file: string, why: string, cause: unknown): WorldUnavailable =>
  new WorldUnavailable(oneLine(`${file}: the linux world cannot replay this story: ${why}`), { cause });

/** What a real kernel is asked for. */
interface Asked {
  readonly scenario: Scenario;
  readonly schedule: readonly ScheduledStep[];
}

/** What a story asks of a real kernel. @throws WorldUnavailable where it cannot be made to do that, with the step */
const scenarioOf = async (file: string, saved: SavedStory): Promise<Asked> => {
  const { configuration, path, violation } = saved;
  try {
    const forced = await forcedStory(configuration, path);
    const scenario = loadScenario(scenarioOfStory(configuration, forced, violation), {
      ...{ file, designs: DESIGNS, overrides: [] },
      readBytes: () => new Uint8Array(),
    });
    return { scenario, schedule: scheduleOfStory(configuration, forced) };
  } catch (error) {
    throw error instanceof NotForcible ? cannot(file, error.message, error) : error;
  }
};

/** @throws WorldUnavailable for a rule that this world does not look at */
const checkRule = (file: string, rule: string, { name, invariants }: World): void => {
  if (rule in FATES || invariants === undefined || invariants.has(rule)) return;
  const seen = [...invariants].join(", ");
  throw cannot(
    file,
    `it breaks ${rule}, and the ${name} world sees ${seen} and how the guest ends`,
    undefined,
  );
};

const isBroken = ({ violations, fate }: RunReport, rule: string): boolean =>
  fate.state === FATES[rule] || violations.some(({ invariant }) => invariant === rule);

const told = (rule: string, broken: boolean): string =>
  broken
    ? `broken: ${rule} breaks on the real kernel too`
    : `held: ${rule} does not break on the real kernel, whose memory blocks are larger and whose boot memory lies elsewhere`;

const played = async (scenario: Scenario, world: World, progress: Progress): Promise<RunReport> => {
  const onStep = (step: Step, index: number, of: number): void =>
    progress.step(`${index + 1} of ${of}, ${stepText(step)}`);
  const onEvent = ({ step, ns }: { readonly step: number; readonly ns: number }): void =>
    progress.event(step, ns);
  const { report } = await play(scenario, world, { version: VERSION, frames: false, onStep, onEvent });
  return report;
};

/**
 * Replays a story on a real kernel: what people do, in their order, and the fault. Everything else takes its own way there.
 *
 * @returns 1 if the same rule breaks, 0 if it does not
 * @throws WorldUnavailable for a story that cannot be forced, with the step that cannot, and where the world cannot be run
 */
export const runStoryInLinux = async (
  file: string,
  saved: SavedStory,
  options: RunOptions,
  system: System,
  openWorld: OpenWorld,
): Promise<number> => {
  const rule = ruleOf(saved);
  const progress = new Progress(system);
  const interruption = new Interruption(system);
  let schedule: readonly ScheduledStep[] = [];
  const world = await openWorld("linux", {
    breathe: () => system.breathe(),
    linux: { ...linuxWorldOptions(options, progress, interruption), schedule: () => schedule },
  });
  checkRule(file, rule, world);
  const asked = await scenarioOf(file, saved);
  schedule = asked.schedule;
  if (world.breathes) interruption.listen();
  try {
    const report = await played(asked.scenario, world, progress);
    if (interruption.status !== undefined) return interruption.status;
    const broken = isBroken(report, rule);
    const verdict = broken ? "broken" : "held";
    progress.clear();
    system.stdout.write(
      options.json === true
        ? renderJson({ verdict, rule, configuration: saved.configuration, report: reportDocument(report) })
        : `${renderTerminal(report, screenOf(system.stdout, system))}\n${told(rule, broken)}\n`,
    );
    return broken ? EXIT.broken : EXIT.held;
  } catch (error) {
    if (interruption.status !== undefined) return interruption.status;
    if (error instanceof NotForcible) throw cannot(file, error.message, error);
    throw error instanceof NotModelled ? cannot(file, error.what, error) : error;
  } finally {
    progress.clear();
    interruption.close();
  }
};
