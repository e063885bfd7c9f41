import type { Fact, Place, Range, Trouble } from "../../artifacts/facts.ts";
import type { Finding, Severity } from "../../artifacts/findings/finding.ts";
import { type Layer, type Stretch, stretchesOf } from "../../artifacts/map/layers.ts";
import { intersection, total } from "../../artifacts/map/ranges.ts";
import { listText, rangeText, sizeText } from "../../artifacts/map/words.ts";
import {
  glyphs,
  level,
  type Paint,
  painter,
  printable,
  type Screen,
  type Style,
  wrap,
} from "../../scenario/render/paint.ts";
import type { InspectReport } from "./report.ts";

const NAME_COLUMN = 13;
const SIZE_COLUMN = 7;
const WIDEST_BAR = 96;
const NARROWEST_BAR = 8;
const MOST_ROWS = 12;

const STYLE: { readonly [tells in Layer["tells"]]: Style } = {
  ram: "green",
  aside: "dim",
  promise: "cyan",
  state: "yellow",
};
const SEVERITY_STYLE: { readonly [severity in Severity]: Style } = {
  error: "red",
  warning: "yellow",
  note: "cyan",
};

/** What was read, as a map and what is to be said about it. */
export const renderInspection = (report: InspectReport, screen: Screen): string => {
  const paint = painter(screen);
  const lines = [
    ...sourceLines(report, paint),
    ...machineLines(report, screen, paint),
    ...mapLines(report.map, screen, paint),
    ...troubleLines(report, screen, paint),
    ...findingLines(report.findings, screen, paint),
  ];
  return `${lines.join("\n")}\n`;
};

const sourceLines = ({ sources }: InspectReport, paint: Paint): string[] => {
  const known = sources.filter(({ kinds }) => kinds.length > 0);
  const unknown = sources.filter(({ kinds }) => kinds.length === 0);
  const rows = known
    .slice(0, MOST_ROWS)
    .map(({ name, kinds }) => `${printable(name)}  ${paint("dim", kinds.join(", "))}`);
  const more = known.length - rows.length;
  if (more > 0) rows.push(paint("dim", `and ${more} more`));
  const not = unknown
    .slice(0, MOST_ROWS)
    .flatMap(({ name, not: reasons }) => [
      `${printable(name)}  ${paint("red", "nothing known")}`,
      ...reasons.map(({ kind, why }) => `  ${kind}: ${printable(why)}`),
    ]);
  return [...rows, ...not];
};

const machineLines = ({ machine, facts }: InspectReport, screen: Screen, paint: Paint): string[] => {
  const { kernel, dmi, roles, ram, ramSource, blockBytes, devices } = machine;
  const said = [
    dmi,
    kernel === null ? null : `Linux ${kernel}`,
    roles.length === 0 ? null : roles.join(", "),
    ramSource === null ? null : `${sizeText(total(ram))} RAM by the ${ramSource}`,
    blockBytes === null ? null : `memory blocks of ${sizeText(blockBytes)}`,
    devices.length === 0 ? null : `${devices.length} memory ${devices.length === 1 ? "device" : "devices"}`,
  ].filter((text) => text !== null);
  if (said.length === 0 && facts.length === 0) return [];
  const rows = said.length === 0 ? [] : ["", ...wrap(printable(said.join("; ")), screen.width)];
  for (const fact of facts) if (fact.kind === "rmp-dump") rows.push(...rmpLines(fact, screen));
  const tables = facts.filter((fact) => fact.kind === "acpi-table");
  if (tables.length > 0) {
    const names = tables.map(
      ({ signature, listing }) =>
        `${printable(signature)} (${listing.header.length} bytes, revision ${listing.header.revision})`,
    );
    rows.push(
      ...wrap(`ACPI tables: ${listText(names, MOST_ROWS)}`, screen.width).map((row) => paint("dim", row)),
    );
  }
  return rows;
};

const rmpLines = (fact: Fact & { readonly kind: "rmp-dump" }, screen: Screen): string[] => {
  const { described, firmware, guests } = fact;
  const title = `RMP of ${sizeText(described)}: ${sizeText(firmware)} of firmware, ${guests.length} ${guests.length === 1 ? "guest" : "guests"}`;
  const rows = guests.slice(0, MOST_ROWS).flatMap(({ asid, bytes, validated, pages2M, pages4K }) => {
    const entries = `${pages2M} pages of 2 MiB, ${pages4K} of 4 KiB`;
    return wrap(
      `  guest ${asid}: ${sizeText(bytes)}, validated ${sizeText(validated)}; ${entries}`,
      screen.width,
    );
  });
  const more = guests.length - MOST_ROWS;
  return ["", title, ...rows, ...(more > 0 ? [`  and ${more} more guests`] : [])];
};

const mapLines = (map: readonly Layer[], screen: Screen, paint: Paint): string[] => {
  if (map.length === 0) return [];
  const stretches = stretchesOf(map);
  const lines: string[] = [];
  for (const stretch of stretches.slice(0, MOST_ROWS))
    lines.push("", ...stretchLines(stretch, map, screen, paint));
  const more = stretches.length - MOST_ROWS;
  if (more > 0) lines.push("", `and ${more} more stretches`);
  return lines;
};

const cellBytes = (bytes: number, most: number): number => {
  let cell = 4096;
  while (bytes / cell > most) cell *= 2;
  return cell;
};

const stretchLines = (stretch: Stretch, map: readonly Layer[], screen: Screen, paint: Paint): string[] => {
  const room = screen.width - 2 - NAME_COLUMN - SIZE_COLUMN;
  const bar = Math.max(NARROWEST_BAR, Math.min(WIDEST_BAR, room));
  const bytes = stretch.end - stretch.start;
  const cell = cellBytes(bytes, bar);
  const title = `${paint("bold", `${stretch.name} ${rangeText(stretch)}`)} ${sizeText(bytes)}, cell ${sizeText(cell)}`;
  const rows = map.flatMap((layer) => {
    const inside = intersection([stretch], layer.ranges);
    if (inside.length === 0) return [];
    const drawn = paint(STYLE[layer.tells], barOf(stretch, inside, cell, screen));
    const size = sizeText(total(inside));
    return [`  ${layer.name.padEnd(NAME_COLUMN)}${size.padStart(SIZE_COLUMN - 1)} ${drawn}`];
  });
  return [title, ...rows];
};

const barOf = (stretch: Stretch, ranges: readonly Range[], cell: number, screen: Screen): string => {
  const marks = glyphs(screen);
  const count = Math.ceil((stretch.end - stretch.start) / cell);
  const cells = new Float64Array(count);
  for (const { start, end } of ranges) {
    const first = Math.floor((start - stretch.start) / cell);
    const last = Math.ceil((end - stretch.start) / cell);
    for (let i = first; i < last; i++) {
      const from = stretch.start + i * cell;
      const to = Math.min(from + cell, stretch.end);
      cells[i]! += (Math.min(end, to) - Math.max(start, from)) / (to - from);
    }
  }
  return [...cells].map((share) => level(marks, share)).join("");
};

const placeText = ({ source, line, offset }: Place): string => {
  if (line !== undefined) return `${printable(source)}:${line}`;
  return offset === undefined ? printable(source) : `${printable(source)}@${offset}`;
};

const indented = (head: string, text: string, screen: Screen): string[] => {
  const width = Math.max(20, screen.width - 2);
  const rows = screen.isTerminal ? wrap(text, width) : [text];
  return [head, ...rows.map((row) => `  ${row}`)];
};

const troubleLines = ({ troubles, leftOut }: InspectReport, screen: Screen, paint: Paint): string[] => {
  const lines = troubles.slice(0, MOST_ROWS).flatMap(({ severity, at, expected, found }: Trouble) => {
    const head = `${paint(SEVERITY_STYLE[severity], severity)} ${placeText(at)}`;
    return ["", ...indented(head, printable(`expected ${expected}, found ${found}`), screen)];
  });
  const more = troubles.length + leftOut.troubles - MOST_ROWS;
  if (more > 0) lines.push("", `and ${more} more like that`);
  if (leftOut.facts > 0)
    lines.push("", `${leftOut.facts} things were read and not kept: there were too many`);
  return lines;
};

const findingLines = (all: readonly Finding[], screen: Screen, paint: Paint): string[] =>
  all.flatMap(({ severity, id, text, at }) => {
    const where = at.length === 0 ? "" : ` ${paint("dim", listText(at.map(placeText), 2))}`;
    return [
      "",
      ...indented(
        `${paint(SEVERITY_STYLE[severity], severity)} ${paint("bold", id)}${where}`,
        printable(text),
        screen,
      ),
    ];
  });
