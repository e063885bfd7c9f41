import type { System } from "../system.ts";

/** How the file of a story begins, of whatever version: what reads it says whether it is of this one. */
const BEGINNING = '{"format":"tidemark-story-';

/** The text of a story that `tidemark check --save` wrote; undefined for every other file. */
export const storyText = (file: string, system: System): string | undefined => {
  if (file === "-") return undefined;
  try {
    const text = new TextDecoder().decode(system.readBytes(file));
    return text.startsWith(BEGINNING) ? text : undefined;
  } catch {
    // Whoever reads the scenario says what is wrong with the file.
    return undefined;
  }
};
