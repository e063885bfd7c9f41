import { counterUnit } from "../kernel-counters.ts";
import { formatDuration, roughSize } from "../quantity.ts";
import type { RunReport } from "../report.ts";
import { html, type Markup, px } from "./markup.ts";

const WIDTH = 340;
/** Room for the figures of the axis, left of the curve. */
const LEFT = 46;
const HEIGHT = 130;
const BOTTOM = 18;
const TOP = 8;
const COLOURS = 6;

const BYTES_OF = { kB: 1024, pages: 4096, count: 1 } as const;

/** A counter's number for a reader: memory as a size. */
const amount = (name: string, value: number): string => {
  const unit = counterUnit(name);
  return unit === "count" ? String(value) : roughSize(value * BYTES_OF[unit]);
};

type Column = readonly [name: string, values: readonly number[]];

/** Counters of pages that say the same as one in kB need no curve of their own. */
const distinct = (columns: readonly Column[]): Column[] => {
  const bytes = ([name, values]: Column): string =>
    values.map((value) => value * BYTES_OF[counterUnit(name)]).join();
  const inKb = new Set(columns.filter(([name]) => counterUnit(name) === "kB").map(bytes));
  return columns.filter((column) => counterUnit(column[0]) !== "pages" || !inKb.has(bytes(column)));
};

/** The line holds its height until the next sample: counters do not slope. */
const path = (xs: readonly number[], ys: readonly number[], top: number): string => {
  const first = xs[0]!;
  const span = Math.max(1, xs.at(-1)! - first);
  const x = (value: number): string => px(LEFT + ((value - first) / span) * (WIDTH - LEFT - 1));
  const y = (value: number): string => px(TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM));
  let drawn = `M${x(first)} ${y(ys[0]!)}`;
  for (let i = 1; i < xs.length; i++) {
    if (ys[i] === ys[i - 1] && i < xs.length - 1) continue;
    drawn += `H${x(xs[i]!)}V${y(ys[i]!)}`;
  }
  return drawn;
};

interface Axis {
  readonly kind: "step" | "time";
  readonly values: readonly number[];
  readonly label: string;
}

const chart = (name: string, values: readonly number[], axis: Axis, top: number, colour: number): Markup => {
  const floor = HEIGHT - BOTTOM;
  const last = amount(name, values.at(-1)!);
  const label = `${name} from ${amount(name, values[0]!)} to ${last}, highest ${amount(name, Math.max(...values))}`;
  return html`<svg class="${axis.kind}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}"><line class="axis" x1="${LEFT}" x2="${WIDTH}" y1="${floor}" y2="${floor}"/><line class="axis" x1="${LEFT}" x2="${WIDTH}" y1="${TOP}" y2="${TOP}"/><path class="curve" style="stroke:var(--c${colour % COLOURS})" d="${path(axis.values, values, top)}"/><text class="soft" x="${LEFT - 6}" y="${TOP + 5}" text-anchor="end">${amount(name, top)}</text><text class="soft" x="${LEFT - 6}" y="${floor + 4}" text-anchor="end">0</text><text class="soft" x="${WIDTH - 2}" y="${HEIGHT - 5}" text-anchor="end">${axis.label}</text></svg>`;
};

/** Counters over the run, as curves; all counters of memory have the same height, so that they compare. */
export const renderCurves = ({ curves }: RunReport): Markup => {
  const moved = distinct(Object.entries(curves.counters));
  if (moved.length === 0 || curves.ns.length < 2) return html``;
  const axes: readonly Axis[] = [
    { kind: "step", values: curves.step, label: `${curves.step.at(-1)} steps` },
    { kind: "time", values: curves.ns, label: formatDuration(curves.ns.at(-1)!) },
  ];
  const memory = moved.filter(([name]) => counterUnit(name) !== "count");
  const mostBytes = Math.max(
    1,
    ...memory.map(([name, values]) => Math.max(...values) * BYTES_OF[counterUnit(name)]),
  );
  const figures = moved.map(([name, values], i) => {
    const unit = counterUnit(name);
    const top = unit === "count" ? Math.max(1, ...values) : mostBytes / BYTES_OF[unit];
    return html`<figure><figcaption><b>${name}</b> ${amount(name, values[0]!)} → ${amount(name, values.at(-1)!)}</figcaption>${axes.map((axis) => chart(name, values, axis, top, i))}</figure>`;
  });
  return html`<h2 id="counters">Counters</h2><div class="by"><input type="radio" name="by" id="by-step" checked><label for="by-step"> by step</label><input type="radio" name="by" id="by-time"><label for="by-time"> by virtual time</label><div class="charts">${figures}</div></div>`;
};
