import { absorb, advances, bytesOf, type Item, type Pattern, type Row, rowOf, sameDeed } from "./fold.ts";
import type { TraceEvent } from "./world.ts";

/**
 * The next turn of a pattern of single deeds, while it comes. Memory accepted page by page is millions of such
 * turns; here they cost a comparison each and no object.
 */
export class PatternTurn {
  private last: Item | undefined;
  /** The same item if it is a pattern of single deeds. */
  private pattern: Pattern | undefined;
  private at = 0;
  private readonly steps: number[] = [];
  private readonly times: number[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];

  get begun(): boolean {
    return this.at > 0;
  }

  /** Takes the event if it is the next deed of the pattern that ends `list`. */
  take(list: readonly Item[], event: TraceEvent, line: number): boolean {
    if (this.at === 0) this.lookAt(list.at(-1));
    const { pattern, at } = this;
    if (pattern === undefined) return false;
    const row = pattern.rows[at]!;
    if ((event.count ?? 1) !== 1 || !sameDeed(row, event, line)) return false;
    if (bytesOf(event) !== pattern.turnBytes[at] || !advances(row, event)) return false;
    this.steps[at] = event.step;
    this.times[at] = event.ns;
    this.starts[at] = event.start ?? 0;
    this.ends[at] = event.end ?? 0;
    this.at++;
    if (this.at === pattern.rows.length) this.finish(pattern);
    return true;
  }

  private lookAt(item: Item | undefined): void {
    if (item === this.last) return;
    this.last = item;
    this.pattern = simplePattern(item);
  }

  private finish(pattern: Pattern): void {
    for (let i = 0; i < pattern.rows.length; i++) {
      absorb(pattern.rows[i]!, this.starts[i]!, this.ends[i]!, this.times[i]!);
    }
    pattern.times++;
    this.at = 0;
  }

  /** The deeds of a turn that does not go on, as rows of their own. */
  giveUp(): Row[] {
    const rows = Array.from({ length: this.at }, (_, i): Row => {
      const row = this.pattern!.rows[i]!;
      const [start, end] = row.start === null ? [null, null] : [this.starts[i]!, this.ends[i]!];
      const [step, ns] = [this.steps[i]!, this.times[i]!];
      return rowOf({ ...row, step, ns, start, end, count: 1 }, row.line);
    });
    this.at = 0;
    return rows;
  }
}

const simplePattern = (item: Item | undefined): Pattern | undefined => {
  if (item === undefined || !("items" in item) || item.rows.length !== item.items.length) return undefined;
  return item.items.every((inner) => !("items" in inner) && inner.count === 1) ? item : undefined;
};
