import type { Fact, FactBody, Place, Trouble } from "./facts.ts";

/** Most facts and troubles that one reading keeps: memory is bounded whatever the files. */
export const MOST_FACTS = 200_000;
export const MOST_TROUBLES = 1000;

/** What is known where a fact is found. */
export interface Standing {
  readonly boot: number;
  readonly time: number | undefined;
}

const NO_LOG: Standing = { boot: 0, time: undefined };

/** Collects what readers find, up to a bound; what is over it is counted. */
export class FactSink {
  readonly facts: Fact[] = [];
  readonly troubles: Trouble[] = [];
  factsLeftOut = 0;
  troublesLeftOut = 0;

  fact(body: FactBody, at: Place, standing: Standing = NO_LOG): void {
    if (this.facts.length >= MOST_FACTS) this.factsLeftOut++;
    else this.facts.push({ ...body, at, boot: standing.boot, time: standing.time });
  }

  trouble(severity: Trouble["severity"], at: Place, expected: string, found: string): void {
    if (this.troubles.length >= MOST_TROUBLES) this.troublesLeftOut++;
    else this.troubles.push({ severity, at, expected, found });
  }
}

/** A copy of a piece of text that does not keep the text it was cut from in memory. */
export const kept = (text: string): string => {
  const short = text.length > 1000 ? text.slice(0, 1000) : text;
  return short.length < 13 ? short : String.fromCodePoint(...Array.from(short, (c) => c.codePointAt(0)!));
};
