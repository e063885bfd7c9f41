import type { TranscriptRow } from "../fold.ts";
import { formatDuration, formatRange } from "../quantity.ts";
import type { PlayedStep, RunReport } from "../report.ts";
import { flatRows, timesInAll, whoText } from "./flat-rows.ts";
import { html, type Markup, px } from "./markup.ts";
import { toneOf } from "./tone.ts";

const LANE = 26;
const TOP = 34;
const NARROWEST_NAMES = 90;
const BAR = 15;
const MOST_STACKED = 5;
/** Width of a deed that takes next to no time. */
const TICK = 3;
const GAP = 4;
const NARROWEST_BAND = 96;
const WIDEST_BAND = 900;
/** Width of the page: fewer bands are widened to fill it. */
const PAGE = 1140;
/** Columns a letter of a band's title takes at most. */
const LETTER = 7;
/** Rows of one step that are drawn; the transcript below lists more. */
const MOST_ROWS = 160;

interface Deed extends TranscriptRow {
  readonly often: number;
}

interface Band {
  readonly step: PlayedStep;
  readonly deeds: readonly Deed[];
  readonly left: number;
  readonly width: number;
}

/** Room for the names of the lanes. */
const namesWidth = ({ transcript }: RunReport): number => {
  const rows = transcript.flatMap(({ head, tail }) => [...head, ...tail].flatMap(flatRows));
  return rows.reduce((width, { row }) => Math.max(width, whoText(row).length * LETTER + 12), NARROWEST_NAMES);
};

const bandsOf = (report: RunReport): Band[] => {
  const { played, transcript } = report;
  const names = namesWidth(report);
  const bands = played.flatMap((step, index) => {
    if (step.kind === "note") return [];
    const deeds = transcript
      .filter((section) => section.played === index)
      .flatMap(({ head, tail }) => [...head, ...tail])
      .flatMap(flatRows)
      .map((flat) => ({ ...flat.row, often: timesInAll(flat) }))
      .slice(0, MOST_ROWS);
    return [{ step, deeds, width: Math.min(WIDEST_BAND, NARROWEST_BAND + deeds.length * (GAP + 3)) }];
  });
  const natural = bands.reduce((sum, { width }) => sum + width, 0);
  const stretch = Math.max(1, (PAGE - names) / Math.max(1, natural));
  let left = names;
  return bands.map((band) => {
    const width = Math.floor(band.width * stretch);
    left += width;
    return { ...band, width, left: left - width };
  });
};

interface Bar {
  readonly deed: Deed;
  x: number;
  width: number;
  /** Deeds that go on at the same time lie one under the other. */
  row: number;
}

/** Bars of one lane in one band: where virtual time puts them, single ones moved apart so that each can be seen. */
const placeBars = ({ step, left, width }: Band, deeds: readonly Deed[]): Bar[] => {
  const span = Math.max(1, step.endNs - step.startNs);
  const room = width - 2 * GAP;
  const at = (ns: number): number => left + GAP + ((ns - step.startNs) / span) * room;
  const bars = deeds.map((deed) => {
    const long = Math.max(TICK, at(deed.endNs) - at(deed.ns));
    return { deed, x: Math.min(at(deed.ns), left + width - GAP - long), width: long, row: 0 };
  });
  spread(bars.filter(isTick), left + GAP, left + width - GAP);
  stack(bars);
  return bars;
};

const isTick = ({ width }: Bar): boolean => width <= TICK;

/** Moves ticks apart, first to the left of the right end, then to the right of the left end. */
const spread = (ticks: readonly Bar[], left: number, right: number): void => {
  let limit = right;
  for (const tick of ticks.toReversed()) {
    tick.x = Math.min(tick.x, limit - TICK);
    limit = tick.x - 1;
  }
  let next = left;
  for (const tick of ticks) {
    tick.x = Math.max(tick.x, next);
    next = tick.x + TICK + 1;
  }
};

const stack = (bars: readonly Bar[]): void => {
  const ends: number[] = [];
  for (const bar of bars) {
    const free = ends.findIndex((end) => end <= bar.x + 0.5);
    bar.row = Math.min(free < 0 ? ends.length : free, MOST_STACKED - 1);
    ends[bar.row] = Math.max(ends[bar.row] ?? 0, bar.x + bar.width);
  }
};

const deedText = (deed: Deed): string => {
  const { what, start, end, status, stateAfter, often, ns, endNs, step } = deed;
  const times = often > 1 ? `, ${often} times` : "";
  const where = start === null || end === null ? "" : `\n${formatRange(start, end)}`;
  const after = stateAfter === null ? "" : `, then ${stateAfter}`;
  const when = ns === endNs ? formatDuration(ns) : `${formatDuration(ns)} to ${formatDuration(endNs)}`;
  return `${whoText(deed)}: ${what}${times}${where}\n${status}${after}\nstep ${step}, ${when}`;
};

const drawBars = (bars: readonly Bar[], top: number): Markup[] => {
  const rows = Math.max(1, ...bars.map(({ row }) => row + 1));
  const height = BAR / rows;
  return bars.map(({ deed, x, width, row }) => {
    const tone = toneOf(deed.status);
    return html`<rect class="bar ${tone}" x="${px(x)}" y="${px(top + row * height)}" width="${px(width)}" height="${px(height)}"><title>${deedText(deed)}</title></rect>`;
  });
};

const drawBand = (band: Band, i: number, lanes: readonly string[], height: number): Markup => {
  const { step, left, width, deeds } = band;
  const letters = Math.floor((width - 8) / LETTER);
  const name = step.what.length > letters ? `${step.what.slice(0, Math.max(1, letters - 1))}…` : step.what;
  const bars = lanes.flatMap((lane, at) => {
    const mine = deeds.filter((deed) => whoText(deed) === lane);
    return drawBars(placeBars(band, mine), TOP + at * LANE + (LANE - BAR) / 2);
  });
  return html`<g><rect class="band${i % 2 === 0 ? "" : " odd"}" x="${left}" y="0" width="${width}" height="${height}"><title>line ${step.line}: ${step.what}</title></rect><text x="${left + 4}" y="14">${name}</text><text class="soft" x="${left + 4}" y="28">${formatDuration(step.endNs - step.startNs)}</text>${bars}</g>`;
};

const drawViolations = ({ violations }: RunReport, bands: readonly Band[], height: number): Markup[] =>
  violations.flatMap(({ invariant, step, why }) => {
    const band = bands.find(({ step: played }) => played.firstStep <= step && step <= played.lastStep);
    if (band === undefined) return [];
    const { firstStep, lastStep } = band.step;
    const share = lastStep <= firstStep ? 1 : (step - firstStep) / (lastStep - firstStep);
    const x = px(band.left + GAP + share * (band.width - 2 * GAP));
    return [
      html`<g><title>${invariant} broken at step ${step}: ${why}</title><path class="mark" d="M${x} ${height - 16}l6 8l-6 8l-6 -8z"/></g>`,
    ];
  });

/** Who did what when: a lane an actor, a band a step of the scenario. */
export const renderTimeline = (report: RunReport): Markup => {
  const bands = bandsOf(report);
  const lanes = [...new Set(bands.flatMap(({ deeds }) => deeds.map(whoText)))];
  if (lanes.length === 0) return html``;
  const last = bands.at(-1)!;
  const width = last.left + last.width + 1;
  const height = TOP + lanes.length * LANE + (report.violations.length > 0 ? 22 : 6);
  const names = lanes.map(
    (lane, i) =>
      html`<line class="lane" x1="0" x2="${width}" y1="${TOP + (i + 1) * LANE}" y2="${TOP + (i + 1) * LANE}"/><text x="4" y="${TOP + i * LANE + LANE / 2 + 4}">${lane}</text>`,
  );
  return html`<h2 id="timeline">Timeline</h2>
<p class="soft">A band is a step of the scenario, with its virtual time; a bar is a deed or a run of equal deeds, orange if it was refused, grey if it only left to the VMM${report.violations.length > 0 ? "; a diamond marks a broken invariant" : ""}. Deeds that go on at once lie one under the other; single ones too close to tell apart stand side by side.</p>
<div class="scroll card" tabindex="0" role="group" aria-label="Timeline; the transcript below says the same in words"><svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Timeline by actor">${bands.map((band, i) => drawBand(band, i, lanes, height))}${names}${drawViolations(report, bands, height)}</svg></div>`;
};
