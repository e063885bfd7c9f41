import { formatRange, formatSize, roughSize } from "../quantity.ts";
import type { MapPicture, RunReport } from "../report.ts";
import type { MapRun } from "../world.ts";
import { cellBytes, holds, type Region, regionsOf } from "./map-cells.ts";
import { html, type Markup, px } from "./markup.ts";

/** What a cell looks like, from nothing to in use, and when facts contradict one another. */
const LOOKS = ["none", "plugged", "lazy", "offline", "free", "used", "odds"] as const;
type Look = (typeof LOOKS)[number];

const LEGEND: { readonly [look in Look]: string } = {
  none: "not plugged",
  plugged: "plugged, not online",
  lazy: "online, not yet accepted",
  offline: "accepted, not online",
  free: "accepted, free",
  used: "accepted, in use",
  odds: "facts at odds",
};

const lookOf = (run: MapRun): Look => {
  if (holds("at odds", run)) return "odds";
  if (!run.plugged) return "none";
  if (!run.online) return run.accepted ? "offline" : "plugged";
  if (!run.accepted) return "lazy";
  return holds("in use", run) ? "used" : "free";
};

const COLUMNS = 64;
const MOST_CELLS = 64 * 32;
const CELL = 8;

/** A run of cells of one look within one row of the grid. */
interface Patch {
  readonly look: Look;
  readonly from: number;
  readonly to: number;
  readonly runs: readonly MapRun[];
}

/** The look of each cell: that of most of its bytes, but never hiding that facts are at odds. */
const cellLooks = (
  picture: MapPicture,
  region: Region,
  bytes: number,
): { look: Look; run: MapRun | undefined }[] => {
  const count = Math.ceil((region.end - region.start) / bytes);
  const most = new Float64Array(count);
  const cells = Array.from({ length: count }, () => ({
    look: "none" as Look,
    run: undefined as MapRun | undefined,
  }));
  for (const run of picture.runs) {
    if (run.owner !== region.owner || run.end <= region.start || run.start >= region.end) continue;
    const look = lookOf(run);
    const first = Math.max(0, Math.floor((run.start - region.start) / bytes));
    const last = Math.min(count, Math.ceil((run.end - region.start) / bytes));
    for (let i = first; i < last; i++) {
      const start = region.start + i * bytes;
      const covered = Math.min(run.end, start + bytes) - Math.max(run.start, start);
      const weight = look === "odds" ? Number.POSITIVE_INFINITY : covered;
      if (weight <= most[i]!) continue;
      most[i] = weight;
      cells[i] = { look, run };
    }
  }
  return cells;
};

const patches = (cells: readonly { look: Look; run: MapRun | undefined }[]): Patch[] => {
  const found: Patch[] = [];
  let from = 0;
  for (let i = 1; i <= cells.length; i++) {
    const same =
      i < cells.length && cells[i]!.look === cells[from]!.look && cells[i]!.run === cells[from]!.run;
    if (same && i % COLUMNS !== 0) continue;
    const { look, run } = cells[from]!;
    found.push({ look, from, to: i, runs: run === undefined ? [] : [run] });
    from = i;
  }
  return found;
};

const factsText = (run: MapRun): string => {
  const bit = (name: string, value: 0 | 1 | null): string => (value === null ? "" : `, ${name} bit ${value}`);
  const facts = [
    run.plugged ? "plugged" : "not plugged",
    run.sept,
    run.online ? "online" : "not online",
    `use ${run.use}`,
  ];
  const bits = bit("unaccepted", run.unacceptedBit) + bit("plugged", run.pluggedBit);
  return `${formatRange(run.start, run.end)} (${formatSize(run.end - run.start)}): ${facts.join(", ")}${bits}`;
};

const drawPatch = ({ look, from, to, runs }: Patch): Markup => {
  const x = (from % COLUMNS) * CELL;
  const y = Math.floor(from / COLUMNS) * CELL;
  const title = runs.map(factsText).join("\n");
  return html`<rect class="${look}" x="${x}" y="${y}" width="${(to - from) * CELL}" height="${CELL}"><title>${title}</title></rect>`;
};

const drawCells = (picture: MapPicture, region: Region): Markup => {
  const cells = cellLooks(picture, region, cellBytes(region, MOST_CELLS));
  return html`${patches(cells).map(drawPatch)}`;
};

const grid = (region: Region, frames: readonly MapPicture[], isFlat: boolean, label: string): Markup => {
  const cells = Math.ceil((region.end - region.start) / cellBytes(region, MOST_CELLS));
  const width = Math.min(COLUMNS, cells) * CELL;
  const height = isFlat ? CELL : Math.ceil(cells / COLUMNS) * CELL;
  const last = frames.length - 1;
  const groups = frames.map(
    (frame, i) =>
      html`<g class="frame" data-frame="${i}"${i === last ? "" : html` hidden`}>${drawCells(frame, region)}</g>`,
  );
  // Small regions are drawn as wide as large ones would be, so that a cell looks alike everywhere.
  const drawn = px((width / (COLUMNS * CELL)) * 100);
  return html`<svg class="cells" style="max-width:${drawn}%" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">${groups}<rect width="${width}" height="${height}" fill="url(#grid)" pointer-events="none"/></svg>`;
};

/** True if a region never looks other than all the same: then one row of it says everything. */
const isFlat = (region: Region, pictures: readonly MapPicture[]): boolean =>
  pictures.every(({ runs }) => {
    const looks = runs
      .filter((run) => run.owner === region.owner && run.start < region.end && run.end > region.start)
      .map(lookOf);
    return new Set(looks).size < 2;
  });

const GRID = html`<svg width="0" height="0" aria-hidden="true" style="position:absolute"><defs><pattern id="grid" width="${CELL}" height="${CELL}" patternUnits="userSpaceOnUse"><path d="M${CELL} 0V${CELL}H0" fill="none" style="stroke:var(--grid)" stroke-width="1"/></pattern></defs></svg>`;

const legend = (): Markup => {
  const items = LOOKS.map(
    (look) =>
      html`<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="${look}" width="10" height="10"/></svg>${LEGEND[look]}</li>`,
  );
  return html`<ul class="legend">${items}</ul>`;
};

/** How much of a region each look has, in words: what the picture says to those who do not see it. */
const shareText = (picture: MapPicture, { owner, start, end }: Region): string => {
  const bytesOf = new Map<Look, number>();
  for (const run of picture.runs) {
    const bytes = Math.min(run.end, end) - Math.max(run.start, start);
    if (run.owner !== owner || bytes <= 0) continue;
    bytesOf.set(lookOf(run), (bytesOf.get(lookOf(run)) ?? 0) + bytes);
  }
  const parts = LOOKS.filter((look) => bytesOf.has(look)).map(
    (look) => `${roughSize(bytesOf.get(look)!)} ${LEGEND[look]}`,
  );
  return parts.length === 0 ? "absent" : parts.join("; ");
};

const shareTexts = (frames: readonly MapPicture[], region: Region): Markup[] =>
  frames.map((frame, i) => {
    const hidden = i === frames.length - 1 ? "" : html` hidden`;
    return html`<span class="frame" data-frame="${i}"${hidden}>${shareText(frame, region)}</span>`;
  });

const MOST_FRAMES = 48;

/** Frames spread evenly, first and last included. */
const thin = (frames: readonly MapPicture[]): readonly MapPicture[] => {
  if (frames.length <= MOST_FRAMES) return frames;
  const step = (frames.length - 1) / (MOST_FRAMES - 1);
  return Array.from({ length: MOST_FRAMES }, (_, i) => frames[Math.round(i * step)]!);
};

/** The memory map before and after as pictures, and a slider through the steps between if there are any. */
export const renderMapSection = ({ map }: RunReport, allFrames: readonly MapPicture[]): Markup => {
  const frames = allFrames.length < 2 ? [map.after] : thin(allFrames);
  const regions = regionsOf([map.before, map.after, ...frames]);
  const figures = regions.map((region) => {
    const { owner, start, end } = region;
    const cell = formatSize(cellBytes(region, MOST_CELLS));
    const flat = isFlat(region, [map.before, ...frames]);
    return html`<h3>${owner === "" ? "" : `${owner} `}<span class="mono">${formatRange(start, end)}</span> <span class="soft">${formatSize(end - start)}, a cell is ${cell}</span></h3>
<div class="pair"><figure><figcaption>Before: ${shareText(map.before, region)}</figcaption>${grid(region, [map.before], flat, `${owner} before`)}</figure>
<figure><figcaption>After: ${shareTexts(frames, region)}</figcaption>${grid(region, frames, flat, `${owner} after`)}</figure></div>`;
  });
  return html`<h2 id="map">Memory map</h2>${GRID}${legend()}
<p class="soft">Two moments: ${map.before.label}, and <output id="moment">${map.after.label}</output>.</p>
${scrubber(frames)}${figures}${leftOutNote(map)}`;
};

const scrubber = (frames: readonly MapPicture[]): Markup => {
  if (frames.length < 3) return html``;
  const last = frames.length - 1;
  const labels = JSON.stringify(frames.map(({ label }) => label));
  return html`<div class="scrub"><label for="scrub">Second moment</label><input id="scrub" type="range" min="0" max="${last}" value="${last}" data-labels="${labels}"></div>`;
};

const leftOutNote = ({ before, after }: RunReport["map"]): Markup => {
  const leftOut = before.leftOut + after.leftOut;
  return leftOut === 0
    ? html``
    : html`<p class="soft">${leftOut} runs of memory are not in this picture.</p>`;
};

/** Moves the second map of each pair through the steps. The page is whole without it. */
export const MAP_SCRIPT = `
const scrub = document.getElementById("scrub");
if (scrub) {
  const labels = JSON.parse(scrub.dataset.labels);
  const moment = document.getElementById("moment");
  scrub.addEventListener("input", () => {
    moment.textContent = labels[scrub.value];
    scrub.setAttribute("aria-valuetext", labels[scrub.value]);
    for (const group of document.querySelectorAll("figure:last-child .frame")) {
      group.toggleAttribute("hidden", group.dataset.frame !== scrub.value);
    }
  });
}
`;
