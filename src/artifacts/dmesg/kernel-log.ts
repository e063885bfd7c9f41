import type { FactBody } from "../facts.ts";
import { type LineContext, type LineReader, type LineRule, placeOf, unquoted } from "../text/line-reader.ts";
import { BOOT_RULES } from "./boot-rules.ts";
import { CONFIDENTIAL_RULES } from "./confidential-rules.ts";
import { HOTPLUG_RULES } from "./hotplug-rules.ts";
import { MEMORY_MAP_RULES } from "./memory-map-rules.ts";

/** Every line of a kernel log that is read. */
export const LOG_RULES: readonly LineRule[] = [
  ...BOOT_RULES,
  ...MEMORY_MAP_RULES,
  ...CONFIDENTIAL_RULES,
  ...HOTPLUG_RULES,
];

const RUNTIME_MAP = "efi: EFI runtime memory map";
const LITERALS: readonly string[] = [...new Set([...LOG_RULES.map(({ literal }) => literal), RUNTIME_MAP])];
const STAMP = /\[ *(\d{1,9}\.\d{1,9})\]/;
/** How many lines a mailer may make of one. */
const MOST_PIECES = 4;

interface Match {
  readonly rule: LineRule;
  readonly match: RegExpExecArray;
}

/** A line that may go on: text read so far, where it began, and what it says up to now. */
interface Held {
  readonly text: string;
  readonly line: number;
  readonly pieces: number;
  readonly matched: Match | undefined;
}

const ruleFor = (text: string): Match | undefined => {
  for (const rule of LOG_RULES) {
    if (!text.includes(rule.literal)) continue;
    const match = rule.pattern.exec(text);
    if (match !== null) return { rule, match };
  }
  return undefined;
};

const begins = (text: string): LineRule | undefined =>
  LOG_RULES.find(({ literal, begun }) => begun !== undefined && text.includes(literal) && begun.test(text));

const endOf = ({ match }: Match): number => match.index + match[0].length;

/** The held line and the next one as one, if that says more than the held line alone. */
const joined = (held: Held, text: string): Held | undefined => {
  if (held.pieces === MOST_PIECES || held.matched?.rule.wholeLine || STAMP.test(text)) return undefined;
  const next = unquoted(text).trim();
  if (next === "") return undefined;
  const before = held.text.trimEnd();
  if (held.matched !== undefined && endOf(held.matched) < before.length) return undefined;
  for (const between of [" ", ""]) {
    const whole = `${before}${between}${next}`;
    const matched = ruleFor(whole);
    const more =
      matched !== undefined &&
      matched.match.index < before.length &&
      endOf(matched) > before.length + between.length;
    if (more || (held.matched === undefined && matched === undefined && begins(whole) && held.pieces < 2)) {
      return { text: whole, line: held.line, pieces: held.pieces + 1, matched };
    }
  }
  return undefined;
};

/**
 * The kernel's log, with or without time stamps, prefixes and quote marks, and with lines that a mailer has wrapped.
 *
 * @source Linux: the printing functions that each rule names
 */
export class KernelLog implements LineReader {
  readonly kind = "kernel log";
  readonly absent = "no line in which a kernel tells of memory (e820, efi, SRAT, TDX, SNP, hotplug)";
  readonly literals = LITERALS;
  private held: Held | undefined;
  private count = 0;
  private boots = 0;
  private runtimeMap = false;

  line(text: string, context: LineContext): void {
    if (this.held !== undefined) {
      const whole = joined(this.held, text);
      if (whole !== undefined) {
        this.held = whole;
        return;
      }
      this.flush(context);
    }
    if (text.includes(RUNTIME_MAP)) {
      this.runtimeMap = true;
      return;
    }
    const matched = ruleFor(text);
    if (matched === undefined && begins(text) === undefined) return;
    this.held = { text, line: context.line, pieces: 1, matched };
  }

  isOpen(): boolean {
    return this.held !== undefined;
  }

  end(context: LineContext): void {
    if (this.held !== undefined) this.flush(context);
  }

  found(): number {
    return this.count;
  }

  private flush(context: LineContext): void {
    const { text, line, matched } = this.held!;
    this.held = undefined;
    const at = { ...placeOf(context), line };
    if (matched === undefined) {
      context.sink.trouble("warning", at, "a whole line of its kind", JSON.stringify(shortened(text)));
      return;
    }
    const read = matched.rule.read(matched.match);
    if (typeof read === "string") {
      context.sink.trouble("warning", at, read, JSON.stringify(shortened(matched.match[0])));
      return;
    }
    const stamp = STAMP.exec(text)?.[1];
    for (const body of read) {
      this.count++;
      this.stand(body, context, stamp === undefined ? undefined : Number(stamp));
      context.sink.fact(this.ofMap(body), at, context.standing);
    }
  }

  private stand(body: FactBody, context: LineContext, time: number | undefined): void {
    if (body.kind === "kernel") {
      this.boots++;
      this.runtimeMap = false;
    }
    context.standing = { boot: this.boots, time };
  }

  private ofMap(body: FactBody): FactBody {
    return body.kind === "efi" && this.runtimeMap ? { ...body, map: "runtime" } : body;
  }
}

const shortened = (text: string): string => {
  const trimmed = text.trim();
  return trimmed.length > 100 ? `${trimmed.slice(0, 100)}...` : trimmed;
};
