import { kept } from "../fact-sink.ts";
import { type LineContext, type LineReader, placeOf, unquoted } from "../text/line-reader.ts";

const ROW = /^([a-z][a-z0-9_]*) (\d{1,15})\s*$/;

/** /proc/vmstat, from its first counter on. */
export class Vmstat implements LineReader {
  readonly kind = "/proc/vmstat";
  readonly absent = "no line nr_free_pages of /proc/vmstat";
  readonly literals = ["nr_free_pages ", "nr_unaccepted "];
  private open = false;
  private count = 0;

  line(text: string, context: LineContext): void {
    const match = ROW.exec(unquoted(text));
    this.open = match !== null;
    if (match === null) return;
    this.count++;
    context.sink.fact({ kind: "vmstat", name: kept(match[1]!), value: Number(match[2]) }, placeOf(context));
  }

  isOpen(): boolean {
    return this.open;
  }

  end(): void {}

  found(): number {
    return this.count;
  }
}
