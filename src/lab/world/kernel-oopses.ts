import type { LogLine, Oops } from "../../scenario/world.ts";

/**
 * What a kernel says first of a mistake of its own: __die_header() prints ": CODE [#NUMBER]" for every oops
 * (arch/x86/kernel/dumpstack.c), and the lines before it say more.
 */
const FIRST = /^(BUG: |kernel BUG at )/;
const HEADER = /: [0-9a-f]{4,16} \[#\d+\]/;
/** Where it happened. */
const RIP = /^RIP: [0-9a-f]{4}:(\S+)/;
/** These tell of time alone, which an emulated CPU on a busy host has too little of. */
const OF_TIME = /^BUG: (soft lockup|workqueue lockup)/;
/** A kernel may say who prints (CONFIG_PRINTK_CALLER). */
const CALLER = /^\[ *[CT]\d+\] /;
/** Lines of a backtrace are many: behind these many a later RIP is another's. */
const REACH = 12;

interface Seen {
  readonly lines: string[];
  readonly at: number;
  hasHeader: boolean;
  place: string;
}

const told = ({ lines, place }: Seen): Oops => ({
  lines,
  text: place === "" ? lines[0]! : `${lines[0]!} in ${place}`,
});

/** The oopses in a kernel's log, each by the lines that name it; warnings are none. */
export const oopsesOf = (log: readonly LogLine[]): Oops[] => {
  const all: Seen[] = [];
  log.forEach((line, at) => {
    const text = line.text.replace(CALLER, "");
    const last = all.at(-1);
    const open = last !== undefined && at - last.at <= REACH ? last : undefined;
    const isHeader = HEADER.test(text);
    if (isHeader && open?.hasHeader === false) {
      open.hasHeader = true;
      open.lines.push(text);
    } else if (isHeader || (FIRST.test(text) && !OF_TIME.test(text))) {
      all.push({ lines: [text], at, hasHeader: isHeader, place: "" });
    } else if (open?.place === "") {
      const place = RIP.exec(text)?.[1];
      if (place === undefined) return;
      open.place = place;
      open.lines.push(text);
    }
  });
  return all.map(told);
};
