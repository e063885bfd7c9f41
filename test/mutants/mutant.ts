import type { MachineConfiguration } from "../../src/check/machine/configurations/configuration.ts";

/** A search of one small machine. */
export interface Search {
  /** A standard configuration. */
  readonly config: string;
  /** Absent: tide, which holds every rule in all of them. */
  readonly design?: string;
  /** What is different from the standard configuration. */
  readonly changes?: Partial<MachineConfiguration>;
  /** Rules that count, where the design breaks others unmutated. Absent: all. A panic and the end of the TD always count. */
  readonly rules?: readonly string[];
}

/** A bundled scenario, for what no configuration has room for: its invariants and its expectations. */
export interface Play {
  readonly scenario: string;
  readonly set?: readonly string[];
  /** What holds in the end, as the `expect` of a scenario, in the place of all that the file expects. */
  readonly holds?: string;
  /** Rules that break there whatever the mistake. */
  readonly known?: readonly string[];
}

export type Attempt = Search | Play;

export type MutantKind =
  | "guard dropped"
  | "off by one"
  | "order"
  | "lock"
  | "wrong state"
  | "error swallowed"
  | "wrong condition"
  | "step left out";

/** One line of the program, made wrong. */
export interface Mutant {
  readonly name: string;
  readonly kind: MutantKind;
  /** Source file, below src/. */
  readonly file: string;
  /** A piece of it that occurs once, and what stands there instead. */
  readonly from: string;
  readonly to: string;
  /** Where it is expected to be found, in this order. */
  readonly attempts: readonly Attempt[];
}

type Row = readonly [name: string, kind: MutantKind, from: string, to: string, ...attempts: Attempt[]];

/** Mutants of one file. */
export const mutantsOf = (file: string, rows: readonly Row[]): readonly Mutant[] =>
  rows.map(([name, kind, from, to, ...attempts]) => ({ name, kind, file, from, to, attempts }));

export const on = (config: string, changes?: Partial<MachineConfiguration>): Search =>
  changes === undefined ? { config } : { config, changes };

/** A mutant's text does not match its source: the source has moved on, and so must the mutant. */
export class MutantError extends Error {
  override name = "MutantError";
}

/** The source of a mutant's file with the mutation in it. @throws MutantError unless its text occurs exactly once */
export const mutated = (
  source: string,
  { name, file, from, to }: Pick<Mutant, "name" | "file" | "from" | "to">,
): string => {
  const count = source.split(from).length - 1;
  if (count !== 1)
    throw new MutantError(
      `mutant ${name}: src/${file}: expected its text once, found it ${count} times; write the mutant anew: ${from}`,
    );
  return source.replace(from, () => to);
};
