import { kept } from "../fact-sink.ts";
import { inclusiveRange } from "../facts.ts";
import { type LineContext, type LineReader, placeOf } from "../text/line-reader.ts";

/** Quote marks, the file's name as grep -H or -r prints it, a line number of grep -n or cat -n, and the row. */
const ROW =
  /^((?:[>|]\s?)*)(?:[^\s:]*iomem:)?(?:\d{1,6}:|\s*\d{1,6}\t)?([ \t]*)([0-9a-f]{8,16})-([0-9a-f]{8,16}) : (.*?)\s*$/;
/** What someone wrote behind a row. */
const REMARK = /\s+(?:<-+|#+|\/\/)(?:\s.*)?$/;

/**
 * /proc/iomem, or pieces of it. Two spaces a level as the kernel indents, though some who paste it use three, or tabs.
 *
 * A reader without privilege sees zeros for every address: that is told once, and no ranges are taken from it.
 */
export class Iomem implements LineReader {
  readonly kind = "/proc/iomem";
  readonly absent = 'no line of the form "first-last : name" with hexadecimal addresses';
  readonly literals = [" : "];
  private count = 0;
  private hidden = false;
  private indents: number[] = [];

  line(text: string, context: LineContext): void {
    const match = ROW.exec(text);
    if (match === null) return;
    const [, , indent, first, last, name] = match;
    this.count++;
    if (/^0+$/.test(first!) && /^0+$/.test(last!)) {
      if (!this.hidden) context.sink.fact({ kind: "hidden-iomem" }, placeOf(context));
      this.hidden = true;
      return;
    }
    const range = inclusiveRange(first!, last!);
    if (range === undefined) {
      context.sink.trouble(
        "warning",
        placeOf(context),
        "a range of addresses up to 2^52",
        `${first}-${last}`,
      );
      return;
    }
    const depth = this.depthOf(indent!.replaceAll("\t", "  ").length);
    const said = kept(name!.replace(REMARK, ""));
    context.sink.fact({ kind: "iomem", ...range, name: said, depth }, placeOf(context));
  }

  isOpen(): boolean {
    return false;
  }

  end(): void {}

  found(): number {
    return this.count;
  }

  /** The level of an indentation: one more than that of the last line that was indented less. */
  private depthOf(indent: number): number {
    while (this.indents.length > 0 && this.indents.at(-1)! >= indent) this.indents.pop();
    this.indents.push(indent);
    return this.indents.length - 1;
  }
}
