import { normalRuns, runsText } from "../compare.ts";
import { counterUnit } from "../kernel-counters.ts";
import { formatAddress, formatRange, formatSize } from "../quantity.ts";
import type { Judgement, ReportedViolation, RunReport } from "../report.ts";
import type { TranscriptSection } from "../transcript.ts";
import { SUCCESS } from "../world.ts";
import { faultText, isTold } from "./fault-text.ts";
import { type FlatRow, flatRows, timesInAll, whoText } from "./flat-rows.ts";
import { html, type Markup } from "./markup.ts";
import { exitsName } from "./platform-words.ts";
import { toneOf } from "./tone.ts";

const violationCard = ({ invariant, line, step, range, why, expected }: ReportedViolation): Markup => {
  const where = range === null ? "" : ` at ${formatRange(range.start, range.end)}`;
  return html`<div class="card problem${expected ? " failed" : ""}"><p><b>${invariant} is broken</b>${expected ? ", as the scenario declares" : ""}. Line ${line}, step ${step}${where}: ${why}</p></div>`;
};

const failureCard = ({ line, column, what, expected, found }: Judgement): Markup =>
  html`<div class="card problem failed"><p><b>Line ${line}:${column}, ${what}</b>: expected ${expected}, found ${found}</p></div>`;

const MOST_CARDS = 50;

/** What went wrong, first; then every expectation. */
export const renderProblems = ({ violations, violationsLeftOut, expectations }: RunReport): Markup => {
  const cards = [
    ...violations.map(violationCard),
    ...expectations.filter(({ held }) => !held).map(failureCard),
  ];
  const more = cards.length - MOST_CARDS + violationsLeftOut;
  const rows = expectations.map(
    ({ line, what, held, expected, found, unasked }) =>
      html`<tr><td class="num">${line}</td><td>${what}${unasked === undefined ? "" : `; not asked in this world: ${unasked}`}</td><td class="${held ? "good" : "bad"}">${held ? (unasked !== undefined && expected === "" ? "not asked" : "held") : "failed"}</td><td>${expected}</td><td>${found}</td></tr>`,
  );
  const table = html`<details><summary>All ${expectations.length} expectations</summary><div class="scroll"><table><thead><tr><th class="num">line</th><th>expectation</th><th></th><th>expected</th><th>found</th></tr></thead><tbody>${rows}</tbody></table></div></details>`;
  return html`${cards.slice(0, MOST_CARDS)}${more > 0 ? html`<p>and ${more} more</p>` : ""}${rows.length > 0 ? table : ""}`;
};

const MOST_ROWS = 120;

const transcriptRow = (flat: FlatRow): Markup => {
  const { row } = flat;
  const often = timesInAll(flat);
  const where = row.start === null || row.end === null ? "" : formatRange(row.start, row.end);
  const tone = { fine: "good", passing: "soft", refused: "warn" }[toneOf(row.status)];
  return html`<tr><td class="num">${row.step}</td><td>${whoText(row)}</td><td>${row.what}</td><td class="num">${often > 1 ? `×${often}` : ""}</td><td class="mono">${where}</td><td class="${tone}">${row.status}</td><td>${row.stateAfter ?? ""}</td></tr>`;
};

const sectionRows = ({ head, tail, leftOut }: TranscriptSection): Markup => {
  const all = [...head, ...tail].flatMap(flatRows).map(transcriptRow);
  const shown = all.slice(0, MOST_ROWS);
  const hidden = all.length - shown.length + leftOut.rows;
  const gap = html`<tr><td></td><td colspan="6" class="soft">${hidden} rows more; --trace writes them all</td></tr>`;
  return html`${shown}${hidden > 0 ? gap : ""}`;
};

/** Who, what, where, status and state after, step by step. */
export const renderTranscriptTable = ({ transcript, played }: RunReport): Markup => {
  const sections = transcript.map((section) => {
    const step = played[section.played];
    const what = step === undefined ? "before the first step" : `line ${step.line}: ${step.what}`;
    const status = step === undefined || step.status === SUCCESS ? "" : step.status;
    return html`<tbody><tr><th colspan="7">${what} <span class="warn">${status}</span></th></tr>${sectionRows(section)}</tbody>`;
  });
  return html`<details><summary>Transcript</summary><div class="scroll"><table><thead><tr><th class="num">step</th><th>who</th><th>what</th><th></th><th>where</th><th>status</th><th>state after</th></tr></thead>${sections}</table></div></details>`;
};

/** Figures at the end and at the start, as a table. */
export const renderCounterTable = ({ counters, countersBefore }: RunReport): Markup => {
  const rows = Object.entries(counters).map(([name, value]) => {
    const unit = counterUnit(name);
    return html`<tr><td class="mono">${name}</td><td class="num">${countersBefore[name] ?? 0}</td><td class="num">${value}</td><td>${unit === "count" ? "" : unit}</td></tr>`;
  });
  return html`<details><summary>All counters</summary><table><thead><tr><th>counter</th><th class="num">before</th><th class="num">after</th><th>unit</th></tr></thead><tbody>${rows}</tbody></table></details>`;
};

/** Faults that were asked for, and those drawn ones that struck. */
export const renderFaultList = ({ faults }: RunReport): Markup => {
  const told = faults.filter(isTold);
  if (told.length === 0) return html``;
  const items = told.map((fault) => html`<li>${faultText(fault)}</li>`);
  return html`<h2 id="faults">Faults</h2><ul>${items}</ul>`;
};

export const renderCostTable = ({ cost, setup }: RunReport): Markup => {
  const calls = [...Object.entries(cost.tdcalls), ...Object.entries(cost.seamcalls)];
  const rows = [...calls, [exitsName(setup.platform), cost.exits] as const].map(
    ([what, count]) => html`<tr><td class="mono">${what}</td><td class="num">${count}</td></tr>`,
  );
  return html`<h2 id="cost">Cost</h2><table><thead><tr><th>call</th><th class="num">count</th></tr></thead><tbody>${rows}</tbody></table>`;
};

const verbatim = (title: string, lines: readonly string[]): Markup =>
  lines.length === 0
    ? html``
    : html`<details><summary>${title}</summary><div class="card"><pre>${lines.join("\n")}</pre></div></details>`;

/** What the guest itself would show: devices, blocks, table, iomem, log. */
export const renderGuestView = (report: RunReport): Markup => {
  const { devices, memoryBlocks, bitmaps } = report;
  const deviceLines = devices.map(
    ({ id, kind, start, size, plugged, requested, blockStates }) =>
      `${id} ${kind} ${formatRange(start, start + size)} plugged ${formatSize(plugged)} requested ${formatSize(requested)} ${Object.entries(
        blockStates,
      )
        .map(([block, state]) => `memory${block} ${state}`)
        .join(" ")}`,
  );
  const blockLines = memoryBlocks.blocks.map(
    ({ number, state, zones }) => `memory${number} ${state} ${zones}`,
  );
  const tableLines =
    bitmaps === null
      ? []
      : [
          `version ${bitmaps.version}`,
          `base ${formatAddress(bitmaps.physBase)}, unit ${formatSize(bitmaps.unitSize)}, ${bitmaps.sizeBytes} bytes a bitmap, ${bitmaps.tableBytes} in all`,
          `unaccepted ${runsText(normalRuns(bitmaps.unaccepted))}`,
          `plugged ${bitmaps.plugged === null ? "no bitmap" : runsText(normalRuns(bitmaps.plugged))}`,
        ];
  return html`<h2 id="guest">As the guest shows it</h2>${verbatim("dmesg", report.dmesg)}${verbatim("/proc/iomem", report.iomem)}${verbatim(`Memory blocks of ${formatSize(memoryBlocks.size)}`, blockLines)}${verbatim("Devices", deviceLines)}${verbatim("Unaccepted table", tableLines)}`;
};
