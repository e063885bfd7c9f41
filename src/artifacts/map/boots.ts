import type { Fact, FactOf } from "../facts.ts";

/** One start of a kernel within the logs. */
export interface Boot {
  readonly source: string;
  readonly number: number;
  readonly kernel: string | undefined;
  readonly commandLine: string | undefined;
  /** A kernel that runs after a crash in memory set aside for it: its maps are not the machine's. */
  readonly isCrashKernel: boolean;
}

const CRASH = /\belfcorehdr=/;

const keyOf = ({ at, boot }: Fact): string => `${boot} ${at.source}`;

/** The kernel's log is what gives a fact its boot; what is read elsewhere belongs to none. */
const isLogged = ({ boot, time }: Fact): boolean => boot > 0 || time !== undefined;

/** The boots that the facts tell of, in the order they were met. */
export const bootsOf = (facts: readonly Fact[]): Boot[] => {
  const found = new Map<string, { first: Fact; kernel?: string; commandLine?: string }>();
  for (const fact of facts) {
    if (!isLogged(fact)) continue;
    const boot = found.get(keyOf(fact)) ?? { first: fact };
    if (fact.kind === "kernel") boot.kernel ??= fact.version;
    if (fact.kind === "command-line") boot.commandLine ??= fact.text;
    found.set(keyOf(fact), boot);
  }
  return [...found.values()].map(({ first, kernel, commandLine }) => ({
    source: first.at.source,
    number: first.boot,
    kernel,
    commandLine,
    isCrashKernel: CRASH.test(commandLine ?? ""),
  }));
};

/** Whether a log tells of this machine's memory map at all in this boot. */
const hasMap = (facts: readonly Fact[], { source, number }: Boot): boolean =>
  facts.some(
    ({ kind, at, boot }) =>
      (kind === "e820" || kind === "efi" || kind === "srat-memory") &&
      at.source === source &&
      boot === number,
  );

/** The boot whose map is shown: the last that is no crash kernel's and has a map; undefined without any. */
export const shownBoot = (facts: readonly Fact[]): Boot | undefined => {
  const boots = bootsOf(facts);
  const ordinary = boots.filter(({ isCrashKernel }) => !isCrashKernel);
  return ordinary.findLast((boot) => hasMap(facts, boot)) ?? ordinary.at(-1) ?? boots.at(-1);
};

/** Facts of the boot that is shown, and those that are no log's. */
export const factsOfBoot = (facts: readonly Fact[], shown: Boot | undefined): Fact[] =>
  facts.filter(
    (fact) =>
      !isLogged(fact) ||
      shown === undefined ||
      // Of several logs each tells of its own boot; within one log the shown boot counts.
      fact.at.source !== shown.source ||
      fact.boot === shown.number,
  );

/** Ranges in the order they were read; one that starts below the last begins a new picture of the same thing. */
export const lastPicture = <F extends FactOf<"lsmem" | "iomem">>(facts: readonly F[]): F[] => {
  let first = 0;
  for (let i = 1; i < facts.length; i++) {
    const [before, after] = [facts[i - 1]!, facts[i]!];
    const moved = before.at.source !== after.at.source;
    const top = after.kind !== "iomem" || after.depth === 0;
    if (moved || (top && after.start < before.start)) first = i;
  }
  return facts.slice(first);
};
