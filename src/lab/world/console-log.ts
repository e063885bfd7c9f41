import type { LogLine } from "../../scenario/world.ts";

const LINE = /^\[\s*(\d+)\.(\d{6})\] ?(.*)$/;

/**
 * The kernel's messages as a console has them, for a guest that can be asked no more. Lines that are not the kernel's
 * are left out.
 */
export const consoleLog = (text: string): LogLine[] =>
  text.split(/\r?\n/).flatMap((line) => {
    const found = LINE.exec(line);
    if (found === null) return [];
    return [{ ns: Number(found[1]) * 1e9 + Number(found[2]) * 1e3, text: found[3]! }];
  });
