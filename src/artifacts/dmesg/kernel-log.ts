import type { FactBody } from "../facts.ts";
import { type LineContext, type LineReader, placeOf } from "../text/line-reader.ts";
import { begins, hasLiteral, headsRuntimeMap, LOG_LITERALS, ruleFor } from "./log-rules.ts";
import { type Held, isCut, joined, STAMP } from "./wrapped-lines.ts";

/**
 * The kernel's log, with or without time stamps, prefixes and quote marks, and with lines that a mailer has wrapped.
 *
 * @source Linux: the printing functions that each rule names
 */
export class KernelLog implements LineReader {
  readonly kind = "kernel log";
  readonly absent = "no line in which a kernel tells of memory (e820, efi, SRAT, TDX, SNP, hotplug)";
  readonly literals = LOG_LITERALS;
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
    if (headsRuntimeMap(text)) {
      this.runtimeMap = true;
      return;
    }
    const matched = ruleFor(text);
    if (matched === undefined && !hasLiteral(text)) return;
    this.held = { text, line: context.line, pieces: 1, last: text, matched };
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
    const cut = matched !== undefined && isCut(text, matched);
    if (matched === undefined || cut) {
      if (!cut && begins(text) === undefined) return;
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
