import { unquoted } from "../text/line-reader.ts";
import { begins, hasLiteral, headsRuntimeMap, type Match, ruleFor } from "./log-rules.ts";

/** The kernel's own time stamp. */
export const STAMP = /\[ *(\d{1,9}\.\d{1,9})\]/;

/** What loggers put in front of a line: one that has it is the rest of no other. */
const FRONTS: readonly RegExp[] = [
  STAMP,
  // dmesg -T, -H, --reltime, and a serial console's concentrator.
  /^\[(?:[A-Z][a-z]{2}(?: [A-Z][a-z]{2} |[ \d]\d )|[ +]*\d+[.:]\d)/,
  // ISO 8601, as of rsyslog, journalctl -o short-iso and dmesg --time-format iso.
  /^\d{4}-\d\d-\d\d[T ]\d\d:/,
  // The traditional form of syslog.
  /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d/,
  // Levels: /dev/kmsg, syslog's protocol, a test robot's dmesg -x.
  /^\d+,\d+,\d+,/,
  /^<\d+>/,
  /^[a-z]+ *:[a-z]+ *: /,
  // The numbers of grep -n and of editors.
  /^(?:[^\s:]+:)?\d+:/,
];

const hasFront = (text: string): boolean => FRONTS.some((front) => front.test(text));

/** "e820: ", "virtio_mem virtio0: ": what the kernel puts in front of a message. */
const SUBSYSTEM = /^[\w/.:-]+(?: [\w/.:-]+){0,2}: /;

/** The rest of a word, and nothing but that. */
const REST_OF_WORD = /^\w+(?=[\s\]),;|-]|$)/;

/** Parameters of a kernel, and no sentence. */
const PARAMETERS = /^(?!.*: )(?:.* )?[\w.-]+=/;

/** How many lines a mailer may make of one. */
const MOST_PIECES = 12;
/** Columns below which nothing is wrapped, and those that a mailer leaves free. */
const NARROWEST = 60;
const WIDEST_MAIL = 79;

/** A line that may go on: text read so far, its last piece, where it began, and what it says up to now. */
export interface Held {
  readonly text: string;
  readonly last: string;
  readonly line: number;
  readonly pieces: number;
  readonly matched: Match | undefined;
}

const endOf = ({ match }: Match): number => match.index + match[0].length;

/** Whether the line before was as long as it could be, so that this one may be its rest. */
const didNotFit = ({ last }: Held, next: string): boolean =>
  last.trimEnd().length + 1 + next.split(" ", 1)[0]!.length > NARROWEST;

const speaks = (text: string): boolean => ruleFor(text) !== undefined || begins(text) !== undefined;

/** Whether the next line may be the rest of the held one. */
const mayGoOn = (held: Held, next: string): boolean => {
  const { matched, text } = held;
  if (matched === undefined) return begins(text) !== undefined || (didNotFit(held, next) && !speaks(next));
  if (endOf(matched) < text.trimEnd().length || SUBSYSTEM.test(next) || speaks(next)) return false;
  if (matched.rule.wholeLine === undefined) return true;
  return didNotFit(held, next) && (hasFront(unquoted(text)) || PARAMETERS.test(next));
};

/** What may stand where a line was wrapped: a mailer takes a space away, a terminal nothing. */
const betweenOf = ({ matched, last }: Held, next: string): readonly string[] => {
  const columns = unquoted(last).length;
  const isInWord = matched === undefined || (columns >= NARROWEST && REST_OF_WORD.test(next));
  if (!isInWord && matched?.rule.wholeLine === undefined) return [" "];
  return columns > WIDEST_MAIL ? ["", " "] : [" ", ""];
};

/** A pager's mark that the screen ends before the line does, right behind what would go on. */
const CUT = /^(?:>|…|\.{3})\s*$/;

/** Whether what a line says may have been cut short: a number without its last digits is another one. */
export const isCut = (text: string, matched: Match): boolean =>
  /\w$/.test(matched.match[0]) && CUT.test(text.slice(endOf(matched)));

/** The held line and the next one as one, if that says more than the held line alone. */
export const joined = (held: Held, text: string): Held | undefined => {
  const next = unquoted(text).trim();
  if (held.pieces === MOST_PIECES || next === "" || hasFront(next) || headsRuntimeMap(text)) return undefined;
  if (!mayGoOn(held, next)) return undefined;
  const before = held.text.trimEnd();
  for (const between of betweenOf(held, next)) {
    const whole = `${before}${between}${next}`;
    const matched = ruleFor(whole);
    const more =
      matched !== undefined &&
      matched.match.index < before.length &&
      endOf(matched) > before.length + between.length;
    const stillBegun =
      held.matched === undefined &&
      matched === undefined &&
      (begins(whole) !== undefined || !hasLiteral(next));
    if (more || stillBegun)
      return { text: whole, last: text.trimEnd(), line: held.line, pieces: held.pieces + 1, matched };
  }
  return undefined;
};
