import { rowsOf, stepsOf, type TranscriptItem } from "../fold.ts";
import { formatDuration, formatRange } from "../quantity.ts";
import type { PlayedStep, RunReport } from "../report.ts";
import type { TranscriptSection } from "../transcript.ts";
import { type FlatRow, flatRows, type Place, whoText } from "./flat-rows.ts";
import {
  type Glyphs,
  glyphs,
  type Paint,
  painter,
  printable,
  type Screen,
  type Style,
  wrap,
} from "./paint.ts";
import { type Tone, toneOf } from "./tone.ts";

/** Rows of one scenario step that a terminal shows; the JSON document has more, the trace has all. */
const SHOWN_HEAD = 24;
const SHOWN_TAIL = 8;
const NUMBER_COLUMN = 9;

/** What one row says, in columns. */
interface Cells {
  readonly mark: string;
  readonly who: string;
  readonly what: string;
  readonly times: string;
  readonly where: string;
  readonly status: string;
  readonly after: string;
}

/** Who, what, where, status, state after: one row a step of the machine, runs of equal rows folded. */
export const renderTranscript = (report: RunReport, screen: Screen): string[] => {
  const paint = painter(screen);
  const marks = glyphs(screen);
  const shown = report.transcript.map((section) => show(section, marks));
  const widths = columnWidths(shown.flatMap(({ rows }) => rows));
  const fits =
    widths.mark + widths.who + widths.what + widths.times + widths.where + widths.status + widths.after + 13;
  const oneLine = !screen.isTerminal || fits <= screen.width;
  const print = oneLine ? printRow(widths, paint) : printTwoLines(paint, screen.width);
  return report.transcript.flatMap((section, i) => {
    const { rows, gapAt, gap } = shown[i]!;
    const lines = rows.flatMap((row, at) => [...(at === gapAt ? [paint("dim", gap)] : []), ...print(row)]);
    if (gap !== "" && gapAt >= rows.length) lines.push(paint("dim", gap));
    return [...title(section, report.played, screen, paint), ...lines];
  });
};

const title = (
  { played: index, line }: TranscriptSection,
  played: readonly PlayedStep[],
  screen: Screen,
  paint: Paint,
): string[] => {
  const step = played[index];
  if (step === undefined) return [paint("bold", "before the first step")];
  const room = screen.isTerminal ? Math.max(20, screen.width - NUMBER_COLUMN) : Number.POSITIVE_INFINITY;
  const what = wrap(printable(step.what), room).map((text) => ({ text, shown: paint("bold", text) }));
  const spent = step.kind === "note" ? "" : formatDuration(step.endNs - step.startNs);
  const status = ["SUCCESS", ""].includes(step.status) ? "" : step.status;
  const ending = [spent, status].filter((text) => text !== "").join("  ");
  const painted = [paint("dim", spent), paint("yellow", status)].filter((text) => text !== "").join("  ");
  const last = what.at(-1);
  const lines = what.map(({ shown }) => shown);
  if (last !== undefined && ending !== "" && last.text.length + 2 + ending.length <= room) {
    lines[lines.length - 1] = `${last.shown}  ${painted}`;
  } else if (ending !== "") lines.push(painted);
  if (step.detail !== "") lines.push(...wrap(`(${printable(step.detail)})`, room));
  const indent = " ".repeat(NUMBER_COLUMN);
  return lines.map(
    (text, i) => (i === 0 ? paint("dim", `line ${line}`.padEnd(NUMBER_COLUMN)) : indent) + text,
  );
};

interface Shown {
  readonly rows: readonly Cells[];
  /** Position of the line that says what is left out; no such line if `gap` is empty. */
  readonly gapAt: number;
  readonly gap: string;
}

const show = ({ head, tail, leftOut }: TranscriptSection, marks: Glyphs): Shown => {
  const all = [...head, ...tail];
  const cells = (items: readonly TranscriptItem[]): Cells[] =>
    items.flatMap(flatRows).map((row) => cellsOf(row, marks));
  if (all.length <= SHOWN_HEAD + SHOWN_TAIL && leftOut.rows === 0)
    return { rows: cells(all), gapAt: -1, gap: "" };
  const last = (tail.length > 0 ? tail : head.slice(SHOWN_HEAD)).slice(-SHOWN_TAIL);
  const first = cells(head.slice(0, SHOWN_HEAD));
  const hidden = all.slice(SHOWN_HEAD, all.length - last.length);
  const rows = leftOut.rows + hidden.reduce((sum, item) => sum + rowsOf(item), 0);
  const steps = leftOut.steps + hidden.reduce((sum, item) => sum + stepsOf(item), 0);
  const gap = `  ${marks.dots} ${rows} rows (${steps} steps) not shown; --trace writes them all`;
  return { rows: [...first, ...cells(last)], gapAt: first.length, gap };
};

const cellsOf = ({ row, times, places }: FlatRow, marks: Glyphs): Cells => {
  const [first, between, last] = marks.brackets;
  const bracket: { readonly [place in Place]: string } = { first, between, last, only: " " };
  const counts = [...times, row.count].filter((count) => count > 1).map((count) => `${marks.times}${count}`);
  return {
    mark: places.map((place) => bracket[place]).join(""),
    who: printable(whoText(row)),
    what: printable(row.what),
    times: counts.join(" "),
    where: row.start === null || row.end === null ? "" : formatRange(row.start, row.end),
    status: printable(row.status),
    after: row.stateAfter === null ? "" : printable(row.stateAfter),
  };
};

type Widths = { readonly [column in keyof Cells]: number };

const columnWidths = (rows: readonly Cells[]): Widths => {
  const widest = (column: keyof Cells): number =>
    rows.reduce((width, row) => Math.max(width, row[column].length), 0);
  return {
    mark: Math.max(1, widest("mark")),
    who: widest("who"),
    what: widest("what"),
    times: widest("times"),
    where: widest("where"),
    status: widest("status"),
    after: widest("after"),
  };
};

const STATUS_STYLE: { readonly [tone in Tone]: Style } = { fine: "green", passing: "dim", refused: "yellow" };
const statusStyle = (status: string): Style => STATUS_STYLE[toneOf(status)];

const printRow =
  (widths: Widths, paint: Paint) =>
  (row: Cells): string[] => {
    const columns = [
      `  ${row.mark.padEnd(widths.mark)} ${row.who.padEnd(widths.who)}`,
      row.what.padEnd(widths.what),
      row.times.padEnd(widths.times),
      row.where.padEnd(widths.where),
      paint(statusStyle(row.status), row.status.padEnd(widths.status)),
      row.after,
    ];
    const kept = columns.filter((_, i) => i !== 2 || widths.times > 0);
    return [kept.join("  ").trimEnd()];
  };

/** For narrow terminals: who and what, then where and how it ended. */
const printTwoLines =
  (paint: Paint, width: number) =>
  (row: Cells): string[] => {
    const end = `${paint(statusStyle(row.status), row.status)}${row.after === "" ? "" : ` ${row.after}`}`;
    const who = `  ${row.mark} ${row.who}`;
    const what = `${row.what}${row.times === "" ? "" : `  ${row.times}`}`;
    const fits = who.length + 2 + what.length <= width;
    const first = fits ? [`${who}  ${what}`] : [who, `      ${what}`];
    return [...first, ...(row.where === "" ? [] : [`      ${row.where}`]), `      ${end}`];
  };
