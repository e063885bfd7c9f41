import { kept } from "../fact-sink.ts";
import { type LineContext, type LineReader, placeOf, unquoted } from "../text/line-reader.ts";

const ROW = /^(?:Node (\d{1,5}) )?([A-Z][A-Za-z0-9_]*(?:\([a-z]+\))?): +(\d{1,15})( kB)?\s*$/;

/** /proc/meminfo, and meminfo of a node from sysfs. */
export class Meminfo implements LineReader {
  readonly kind = "meminfo";
  readonly absent = "no line MemTotal of /proc/meminfo or of a node's meminfo";
  readonly literals = ["MemTotal:"];
  private open = false;
  private count = 0;

  line(text: string, context: LineContext): void {
    const match = ROW.exec(unquoted(text));
    this.open = match !== null;
    if (match === null) return;
    const [, node, name, value, unit] = match;
    this.count++;
    context.sink.fact(
      {
        kind: "meminfo",
        node: node === undefined ? undefined : Number(node),
        name: kept(name!),
        value: Number(value),
        unit: unit === undefined ? (name!.startsWith("HugePages_") ? "pages" : "") : "kB",
      },
      placeOf(context),
    );
  }

  isOpen(): boolean {
    return this.open;
  }

  end(): void {}

  found(): number {
    return this.count;
  }
}
