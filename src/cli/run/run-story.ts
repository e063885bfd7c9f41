import { replayMachine } from "../../check/machine/check-machine.ts";
import { renderStory } from "../../check/story/render-check.ts";
import { readStory } from "../../check/story/story-file.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { EXIT, UsageError } from "../exit-status.ts";
import { checkLinuxOptions } from "../linux-options.ts";
import type { System } from "../system.ts";
import type { OpenWorld } from "../worlds.ts";
import type { RunOptions } from "./run.ts";

/** What changes a scenario, or tells of its steps, has no meaning for a story: it is played as it was found. */
const refuseOptions = (file: string, options: RunOptions): void => {
  const { world, design, seed, platform, set, trace, html, allDifferences } = options;
  const given = Object.entries({
    "--world both": world === "both" ? true : undefined,
    ...{ "--design": design, "--seed": seed, "--platform": platform, "--set": set },
    ...{ "--trace": trace, "--html": html, "--all-differences": allDifferences },
  }).find(([, value]) => value !== undefined);
  if (given !== undefined)
    throw new UsageError(
      `${given[0]}: expected a scenario, found ${file}, a story of tidemark check, which is played as it was found; leave the option out`,
    );
};

/**
 * Plays a saved story: in the model world step by step, in the linux world as far as a real kernel can be made to.
 *
 * @returns 1 if its rule is broken as it was, 0 if it is not any more
 * @throws StoryFileError, UsageError; WorldUnavailable for a story that the linux world cannot replay
 */
export const runStory = async (
  file: string,
  text: string,
  options: RunOptions,
  system: System,
  openWorld: OpenWorld,
): Promise<number> => {
  refuseOptions(file, options);
  checkLinuxOptions(options, options.world);
  const saved = readStory(file, text);
  if (options.world === "linux")
    return (await import("./run-story-in-linux.ts")).runStoryInLinux(file, saved, options, system, openWorld);
  const { configuration } = saved;
  const story = await replayMachine(saved);
  const verdict = story.broken ? "broken" : "held";
  const told = story.broken
    ? `broken: ${story.violation}`
    : "held: the story does not break its rule any more";
  system.stdout.write(
    options.json === true
      ? renderJson({ verdict, configuration, story })
      : `${renderStory(configuration.name, story)}\n${told}\n`,
  );
  return story.broken ? EXIT.broken : EXIT.held;
};
