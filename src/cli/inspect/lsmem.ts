import { type LsmemRow, lsmemRows } from "../../artifacts/map/lsmem-rows.ts";
import type { Survey } from "../../artifacts/map/survey.ts";
import { sizeText } from "../../artifacts/map/words.ts";

const HEADINGS = ["RANGE", "SIZE", "STATE", "REMOVABLE", "BLOCK", "PLUGGED", "UNACCEPTED", "PRIVATE"];
const UNKNOWN = "-";

const address = (n: number): string => `0x${n.toString(16).padStart(16, "0")}`;
const bytes = (n: number | undefined): string => (n === undefined ? UNKNOWN : n === 0 ? "0" : sizeText(n));

const cells = ({ start, end, state, removable, blocks, ...row }: LsmemRow): string[] => {
  const [first, last] = blocks ?? [];
  const numbers = first === undefined ? UNKNOWN : first === last ? `${first}` : `${first}-${last}`;
  return [
    `${address(start)}-${address(end - 1)}`,
    sizeText(end - start),
    state ?? UNKNOWN,
    removable === undefined ? UNKNOWN : removable ? "yes" : "no",
    numbers,
    bytes(row.plugged),
    bytes(row.unaccepted),
    bytes(row.private),
  ];
};

const sumOf = (rows: readonly LsmemRow[], isOnline: boolean): number =>
  rows
    .filter(({ state }) => (state === "online") === isOnline)
    .reduce((sum, { start, end }) => sum + end - start, 0);

/**
 * What lsmem prints, with three columns more. A dash stands where nothing that was read tells the value.
 *
 * @returns undefined if nothing says which memory blocks there are
 */
export const renderLsmem = (survey: Survey): string | undefined => {
  const rows = lsmemRows(survey);
  if (rows.length === 0) return undefined;
  const table = [HEADINGS, ...rows.map(cells)];
  const widths = HEADINGS.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  const lines = table.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" "),
  );
  const { blockBytes } = survey;
  // A table without STATE tells neither total.
  const isTold = rows.every(({ state }) => state !== undefined);
  const offline = sumOf(rows, false);
  const totals = [
    ["Memory block size:", blockBytes === undefined ? UNKNOWN : sizeText(blockBytes)],
    ["Total online memory:", isTold ? bytes(sumOf(rows, true)) : UNKNOWN],
    ["Total offline memory:", isTold ? (offline === 0 ? "0B" : bytes(offline)) : UNKNOWN],
  ].map(([name, value]) => `${name!.padEnd(21)} ${value!.padStart(7)}`);
  return `${[...lines, "", ...totals].join("\n")}\n`;
};
