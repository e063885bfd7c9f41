import type { LineTest } from "./expectation.ts";

/** Whether a line is one that a test speaks of; `absent` speaks of those that must not be there. */
export const lineMatcher = ({ mode, text }: LineTest): ((line: string) => boolean) => {
  if (mode !== "matches") return (line) => line.includes(text);
  const pattern = new RegExp(text, "u");
  return (line) => pattern.test(line);
};
