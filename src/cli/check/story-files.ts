import { replayMachine } from "../../check/machine/check-machine.ts";
import { storyItf } from "../../check/story/itf.ts";
import { renderMermaid, renderStory } from "../../check/story/render-check.ts";
import type { Story } from "../../check/story/story.ts";
import { readStory, storyFile } from "../../check/story/story-file.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { oneLine } from "../../scenario/scenario-error.ts";
import { EXIT, UsageError } from "../exit-status.ts";
import { reason } from "../read-scenario.ts";
import type { System } from "../system.ts";
import type { CheckOptions } from "./options.ts";

/** A search and what breaks in it. */
export interface Told {
  readonly story: Story | null;
  /** Whether no story has fewer steps; absent: nobody says so. */
  readonly shortest?: boolean;
}

/** Writes the first story to the files that were asked for. */
export const saveFirst = (checked: readonly Told[], { save, itf }: CheckOptions, system: System): void => {
  const first = checked.find(({ story }) => story !== null);
  if (first === undefined || first.story === null) return;
  const { story } = first;
  const { configuration } = story;
  if (save !== undefined) write("--save", save, storyFile(configuration, story), system);
  if (itf !== undefined) write("--itf", itf, storyItf(configuration.name, story), system);
};

const write = (option: string, path: string, text: string, system: System): void => {
  try {
    system.writeText(path, text);
  } catch (error) {
    throw new UsageError(
      oneLine(`${option} ${path}: expected a file that can be written, found one that ${reason(error)}`),
      { cause: error },
    );
  }
};

/** Plays a saved story again. @returns 1 if the rule is broken as it was, 0 if it is not any more */
export const replay = async (path: string, options: CheckOptions, system: System): Promise<number> => {
  const saved = readStory(path, textOf(path, system));
  const { configuration } = saved;
  const story = await replayMachine(saved);
  system.stdout.write(shown(configuration.name, story, options));
  if (options.itf !== undefined) write("--itf", options.itf, storyItf(configuration.name, story), system);
  return story.broken ? EXIT.broken : EXIT.held;
};

const shown = (name: string, story: Story, { json, mermaid }: CheckOptions): string => {
  if (json === true) return renderJson({ story });
  return mermaid === true ? renderMermaid(story) : renderStory(name, story);
};

const textOf = (path: string, system: System): string => {
  try {
    return new TextDecoder().decode(system.readBytes(path));
  } catch (error) {
    throw new UsageError(
      oneLine(`--replay ${path}: expected a saved story, found one that ${reason(error)}`),
      { cause: error },
    );
  }
};
