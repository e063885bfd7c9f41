import { playBoth } from "../../scenario/lockstep/lockstep.ts";
import type { LockstepReport } from "../../scenario/lockstep/lockstep-report.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { renderLockstep } from "../../scenario/render/lockstep.ts";
import type { Scenario, Step } from "../../scenario/scenario.ts";
import { stepText } from "../../scenario/step-text.ts";
import { EXIT, UsageError } from "../exit-status.ts";
import { Interruption } from "../interruption.ts";
import { Progress } from "../progress.ts";
import { readScenario } from "../read-scenario.ts";
import { screenOf } from "../screen.ts";
import type { System } from "../system.ts";
import { VERSION } from "../version.ts";
import type { OpenWorld, WorldName } from "../worlds.ts";
import { asUnplayable, linuxWorldOptions, type RunOptions } from "./run.ts";

/**
 * `tidemark run FILE --world both`: plays a scenario in both worlds and shows where they differ.
 *
 * @returns the exit status: held if both held and nothing differs
 * @throws ScenarioError, UsageError: the input is wrong; WorldUnavailable: a world cannot be run
 */
export const runBoth = async (
  file: string,
  options: RunOptions,
  system: System,
  openWorld: OpenWorld,
): Promise<number> => {
  for (const option of ["trace", "html"] as const) {
    if (options[option] !== undefined)
      throw new UsageError(
        `--${option} ${options[option]}: expected one world, found both; name one with --world`,
      );
  }
  const scenario = readScenario(file, options, system);
  const progress = new Progress(system);
  const interruption = new Interruption(system);
  const open = (world: WorldName) =>
    openWorld(world, {
      breathe: () => system.breathe(),
      linux: linuxWorldOptions(options, progress, interruption),
    });
  const worlds = { model: await open("model"), linux: await open("linux") };
  interruption.listen();
  try {
    const report = await play(scenario, worlds, progress);
    if (interruption.status !== undefined) return interruption.status;
    const all = options.allDifferences === true;
    const shown =
      options.json === true
        ? renderJson(report)
        : renderLockstep(report, screenOf(system.stdout, system), all);
    system.stdout.write(shown);
    return isSound(report) ? EXIT.held : EXIT.broken;
  } catch (error) {
    if (interruption.status !== undefined) return interruption.status;
    throw error;
  } finally {
    interruption.close();
  }
};

const isSound = ({ result, worlds }: LockstepReport): boolean =>
  result === "same" && worlds.model.verdict === "held" && worlds.linux.verdict === "held";

const play = async (
  scenario: Scenario,
  worlds: Parameters<typeof playBoth>[1],
  progress: Progress,
): Promise<LockstepReport> => {
  let playing: Step | undefined;
  let playedIn: WorldName = "model";
  try {
    return await playBoth(scenario, worlds, {
      version: VERSION,
      onStart: (world) => {
        playing = undefined;
        playedIn = world;
      },
      onStep: (step, index, of) => {
        playing = step;
        progress.step(`${playedIn} world: ${index + 1} of ${of}, ${stepText(step)}`);
      },
      onEvent: ({ step, ns }) => progress.event(step, ns),
    });
  } catch (error) {
    throw asUnplayable(error, scenario, playing, playedIn);
  } finally {
    progress.clear();
  }
};
