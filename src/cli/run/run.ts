import { resolve } from "node:path";
import type { LinuxWorldOptions } from "../../lab/world/linux-world.ts";
import { NotModelled } from "../../not-modelled.ts";
import { type Played, play } from "../../scenario/player.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { renderTerminal } from "../../scenario/render/terminal.ts";
import { traceLine } from "../../scenario/render/trace.ts";
import { reportDocument } from "../../scenario/report-document.ts";
import type { Scenario, Step } from "../../scenario/scenario.ts";
import { oneLine } from "../../scenario/scenario-error.ts";
import { stepText } from "../../scenario/step-text.ts";
import { type World, WorldUnavailable } from "../../scenario/world.ts";
import { EXIT, UsageError } from "../exit-status.ts";
import { Interruption } from "../interruption.ts";
import { checkLinuxOptions, type LinuxOptions } from "../linux-options.ts";
import { Progress } from "../progress.ts";
import { readScenario, reason, type ScenarioOptions } from "../read-scenario.ts";
import { screenOf } from "../screen.ts";
import type { System, TextFile } from "../system.ts";
import { VERSION } from "../version.ts";
import type { OpenWorld, Playground, WorldName } from "../worlds.ts";
import { storyText } from "./story-text.ts";

export interface RunOptions extends ScenarioOptions, LinuxOptions {
  readonly world: Playground;
  readonly json?: boolean;
  readonly allDifferences?: boolean;
  readonly trace?: string;
  readonly html?: string;
}

/**
 * `tidemark run FILE`: plays a scenario, or a story that a check saved, and shows what happened.
 *
 * @returns the exit status
 * @throws ScenarioError, UsageError: the input is wrong; WorldUnavailable: the world cannot be run
 */
export const run = async (
  file: string,
  options: RunOptions,
  system: System,
  openWorld: OpenWorld,
): Promise<number> => {
  const { world } = options;
  const story = storyText(file, system);
  if (story !== undefined)
    return (await import("./run-story.ts")).runStory(file, story, options, system, openWorld);
  checkLinuxOptions(options, world);
  if (world === "both") return (await import("./run-both.ts")).runBoth(file, options, system, openWorld);
  if (options.allDifferences === true)
    throw new UsageError(
      `--all-differences: expected both worlds, found the ${world} world; add --world both`,
    );
  return runOne(file, { ...options, world }, system, openWorld);
};

const runOne = async (
  file: string,
  options: RunOptions & { readonly world: WorldName },
  system: System,
  openWorld: OpenWorld,
): Promise<number> => {
  const scenario = readScenario(file, options, system);
  refuseOverwrite(scenario.file, options);
  const progress = new Progress(system);
  const interruption = new Interruption(system);
  const world = await openWorld(options.world, {
    breathe: () => system.breathe(),
    linux: linuxWorldOptions(options, progress, interruption),
  });
  const trace = options.trace === undefined ? undefined : open(options.trace, system);
  if (world.breathes) interruption.listen();
  try {
    const played = await playShowingProgress(scenario, world, options, progress, trace);
    if (interruption.status !== undefined) return interruption.status;
    if (options.html !== undefined) await writeHtml(played, options.html, system);
    const { report } = played;
    const shown =
      options.json === true
        ? renderJson(reportDocument(report))
        : renderTerminal(report, screenOf(system.stdout, system));
    system.stdout.write(shown);
    return report.verdict === "held" ? EXIT.held : EXIT.broken;
  } catch (error) {
    // What a signal broke off has nothing more to say.
    if (interruption.status !== undefined) return interruption.status;
    throw error;
  } finally {
    if (trace !== undefined) closeTrace(trace, options.trace ?? "");
    interruption.close();
  }
};

/** What the command line asks of the linux world. */
export const linuxWorldOptions = (
  { kernel, modules, onViolation, enforce, trap, append }: LinuxOptions,
  progress: Progress,
  { signal }: Interruption,
): LinuxWorldOptions => ({
  kernel: { image: kernel, modules, signal, progress: (what) => progress.say(what) },
  ...(onViolation === undefined ? {} : { onViolation }),
  ...(enforce === undefined ? {} : { enforcement: enforce }),
  ...(trap === undefined ? {} : { trap }),
  ...(append === undefined ? {} : { append }),
});

const refuseOverwrite = (scenario: string, { trace, html }: RunOptions): void => {
  const taken = new Map([[resolve(scenario), "the scenario itself"]]);
  for (const [option, path] of [
    ["--trace", trace],
    ["--html", html],
  ] as const) {
    if (path === undefined) continue;
    const other = taken.get(resolve(path));
    if (other !== undefined) {
      throw new UsageError(
        `${option} ${path}: expected a file of its own, found ${other}; name another file`,
      );
    }
    taken.set(resolve(path), `the file of ${option}`);
  }
};

const refuseOutput = (option: string, path: string, error: unknown): UsageError =>
  new UsageError(
    oneLine(`${option} ${path}: expected a file that can be written, found one that ${reason(error)}`),
    {
      cause: error,
    },
  );

const open = (path: string, system: System): TextFile => {
  try {
    return system.openText(path);
  } catch (error) {
    throw refuseOutput("--trace", path, error);
  }
};

const closeTrace = (trace: TextFile, path: string): void => {
  try {
    trace.close();
  } catch (error) {
    throw refuseOutput("--trace", path, error);
  }
};

const writeTrace = (trace: TextFile, line: string, path: string): void => {
  try {
    trace.write(line);
  } catch (error) {
    throw refuseOutput("--trace", path, error);
  }
};

const playShowingProgress = async (
  scenario: Scenario,
  world: World,
  options: RunOptions,
  progress: Progress,
  trace: TextFile | undefined,
): Promise<Played> => {
  let playing: Step | undefined;
  try {
    return await play(scenario, world, {
      version: VERSION,
      frames: options.html !== undefined,
      onStep: (step, index, of) => {
        playing = step;
        progress.step(`${index + 1} of ${of}, ${stepText(step)}`);
      },
      onEvent: (event, line) => {
        progress.event(event.step, event.ns);
        if (trace !== undefined) writeTrace(trace, traceLine(event, line), options.trace ?? "");
      },
    });
  } catch (error) {
    throw asUnplayable(error, scenario, playing, world.name);
  } finally {
    progress.clear();
  }
};

/** What a world does not model keeps it from playing a scenario; the message says which step. Else the error itself. */
export const asUnplayable = (
  error: unknown,
  scenario: Scenario,
  playing: Step | undefined,
  world: WorldName,
): unknown => {
  if (!(error instanceof NotModelled)) return error;
  const { file, line, column } = (playing ?? scenario.machine).place;
  const where = `${file}:${line}:${column}`;
  const said = `${where}: the ${world} world cannot play this: ${error.message}`;
  return new WorldUnavailable(oneLine(said), { cause: error });
};

const writeHtml = async ({ report, frames }: Played, path: string, system: System): Promise<void> => {
  const { renderHtml } = await import("../../scenario/render/html.ts");
  try {
    system.writeText(path, renderHtml(report, frames));
  } catch (error) {
    throw refuseOutput("--html", path, error);
  }
};
