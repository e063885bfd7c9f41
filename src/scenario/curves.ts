import type { Curves } from "./report.ts";
import type { Counter } from "./world.ts";

/** Points kept; a picture is not wider. */
const MOST_POINTS = 256;

interface Point {
  readonly ns: number;
  readonly step: number;
  readonly counters: readonly Counter[];
}

/** Samples counters over a run of unknown length with bounded memory: when full, every second point goes. */
export class CounterCurves {
  private points: Point[] = [];
  private names: readonly string[] = [];
  private stride = 1;
  private seen = 0;

  /** True if the next event is one to sample. */
  due(): boolean {
    this.seen++;
    return this.seen % this.stride === 0;
  }

  add(step: number, ns: number, counters: readonly Counter[]): void {
    if (this.names.length === 0) this.names = counters.map(({ name }) => name);
    const last = this.points.at(-1);
    if (last !== undefined && last.step === step && last.ns === ns) this.points.pop();
    this.points.push({ ns, step, counters });
    if (this.points.length < MOST_POINTS) return;
    this.points = this.points.filter((_, i) => i % 2 === 0);
    this.stride *= 2;
  }

  finish(): Curves {
    const columns = this.names.map((name, column) => {
      const values = this.points.map(({ counters }) => counters[column]?.value ?? 0);
      return [name, values] as const;
    });
    const moved = columns.filter(([, values]) => values.some((value) => value !== values[0]));
    return {
      ns: this.points.map(({ ns }) => ns),
      step: this.points.map(({ step }) => step),
      counters: Object.fromEntries(moved),
    };
  }
}
