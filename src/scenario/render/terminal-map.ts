import { formatRange, formatSize } from "../quantity.ts";
import type { RunReport } from "../report.ts";
import { cellBytes, FACTS, type Fact, type Region, regionsOf, shares } from "./map-cells.ts";
import {
  type Glyphs,
  glyphs,
  level,
  type Paint,
  painter,
  printable,
  type Screen,
  type Style,
} from "./paint.ts";

const FACT_COLUMN = 10;
const WHEN_COLUMN = 7;
const WIDEST_BAR = 128;

const STYLE: { readonly [fact in Fact]: Style } = {
  plugged: "cyan",
  accepted: "green",
  online: "cyan",
  "in use": "green",
  "at odds": "red",
};

/** The memory map before and after: for each region a bar a fact, one cell a unit or a run of units. */
export const renderMap = ({ map }: Pick<RunReport, "map">, screen: Screen): string[] => {
  const paint = painter(screen);
  const marks = glyphs(screen);
  const bar = Math.max(8, Math.min(WIDEST_BAR, screen.width - 2 - FACT_COLUMN - WHEN_COLUMN));
  const { levels } = marks;
  const some = levels[Math.floor(levels.length / 2)]!;
  const lines = [
    printable(map.before.label),
    printable(map.after.label),
    paint("dim", `${levels.at(-1)} all of a cell, ${some} a part, ${levels[0]} nothing`),
  ];
  const facts = FACTS.filter((fact) => fact !== "in use" || isUseKnown(map));
  for (const region of regionsOf([map.before, map.after])) {
    lines.push("", ...regionTitle(region, cellBytes(region, bar), screen, paint));
    for (const fact of facts) lines.push(...factLines(map, region, fact, bar, marks, paint));
  }
  const leftOut = map.before.leftOut + map.after.leftOut;
  if (leftOut > 0) lines.push("", `${leftOut} runs of memory are not in this picture`);
  return lines;
};

/** A real kernel does not tell what it does with its pages. */
const isUseKnown = ({ before, after }: RunReport["map"]): boolean =>
  ![...before.runs, ...after.runs].some(({ use }) => use === "unknown");

const regionTitle = (region: Region, cell: number, screen: Screen, paint: Paint): string[] => {
  const { owner, start, end } = region;
  const name = `${owner === "" ? "" : `${printable(owner)} `}${formatRange(start, end)}`;
  const sizes = `${formatSize(end - start)}, cell ${formatSize(cell)}`;
  const fits = name.length + 1 + sizes.length <= screen.width;
  return fits ? [`${paint("bold", name)} ${sizes}`] : [paint("bold", name), sizes];
};

const factLines = (
  map: RunReport["map"],
  region: Region,
  fact: Fact,
  bar: number,
  marks: Glyphs,
  paint: Paint,
): string[] => {
  const bytes = cellBytes(region, bar);
  const before = shares(map.before, region, bytes, fact);
  const after = shares(map.after, region, bytes, fact);
  if (fact === "at odds" && before.every((share) => share === 0) && after.every((share) => share === 0))
    return [];
  const row = (label: string, when: string, cells: Float64Array): string => {
    const drawn = paint(STYLE[fact], [...cells].map((share) => level(marks, share)).join(""));
    return `  ${label.padEnd(FACT_COLUMN)}${paint("dim", when.padEnd(WHEN_COLUMN))}${drawn}`;
  };
  if (before.every((share, i) => share === after[i])) return [row(fact, "both", after)];
  return [row(fact, "before", before), row("", "after", after)];
};
