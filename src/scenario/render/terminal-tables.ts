import { normalRuns, runsText } from "../compare.ts";
import { counterLine } from "../kernel-counters.ts";
import { formatAddress, formatDuration, formatSize } from "../quantity.ts";
import type { RunReport } from "../report.ts";
import type { DeviceState, MemoryBlock } from "../world.ts";
import { faultText, isTold } from "./fault-text.ts";
import { glyphs, type Paint, printable, type Screen, wrap } from "./paint.ts";
import { exitsName } from "./platform-words.ts";

/** Counters at the end as the kernel prints them, and what they were. */
export const renderCounters = (report: RunReport, paint: Paint): string[] =>
  Object.entries(report.counters).map(([name, value]) => {
    const before = report.countersBefore[name] ?? 0;
    const was = before === value ? "" : paint("dim", `  was ${before}`);
    return `  ${counterLine(name, value)}${was}`;
  });

interface BlockRow {
  first: number;
  last: number;
  readonly state: string;
  readonly zones: string;
}

const blockRows = (blocks: readonly MemoryBlock[]): BlockRow[] => {
  const rows: BlockRow[] = [];
  for (const { number, state, zones } of blocks) {
    const last = rows.at(-1);
    if (last !== undefined && last.last + 1 === number && last.state === state && last.zones === zones) {
      last.last = number;
    } else rows.push({ first: number, last: number, state, zones });
  }
  return rows;
};

const wide = (address: number): string => `0x${address.toString(16).padStart(16, "0")}`;

/** Memory blocks in the shape of lsmem. */
export const renderBlocks = ({ memoryBlocks }: RunReport, screen: Screen): string[] => {
  const { size, blocks } = memoryBlocks;
  const narrow = screen.isTerminal && screen.width < 80;
  const rows = blockRows(blocks).map(({ first, last, state, zones }) => {
    const range = narrow
      ? `${formatAddress(first * size)}-${formatAddress((last + 1) * size - 1)}`
      : `${wide(first * size)}-${wide((last + 1) * size - 1)}`;
    const numbers = first === last ? `${first}` : `${first}-${last}`;
    return [range, formatSize((last - first + 1) * size), state, numbers, zones];
  });
  // A narrow screen does without what the other columns say already.
  const kept = screen.isTerminal && screen.width < 56 ? [0, 2, 3] : narrow ? [0, 1, 2, 3] : [0, 1, 2, 3, 4];
  const titles = ["RANGE", "SIZE", "STATE", "BLOCK", "ZONES"];
  const table = [titles, ...rows].map((row) => kept.map((column) => row[column]!));
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) =>
        table[0]![column] === "SIZE" ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join(" ")
      .trimEnd(),
  );
  return [...lines.map((line) => `  ${line}`), `  Memory block size: ${formatSize(size)}`];
};

const deviceLine = ({ id, kind, plugged, requested, size, blockStates }: DeviceState): string => {
  const states = Object.entries(blockStates).map(([block, state]) => `memory${block} ${state}`);
  const more = states.length > 4 ? ` and ${states.length - 4} more` : "";
  const listed = states.length === 0 ? "" : `; ${states.slice(0, 4).join(", ")}${more}`;
  const wish = kind === "dimm" ? "" : `, requested ${formatSize(requested)}`;
  return `${id} (${kind}): plugged ${formatSize(plugged)} of ${formatSize(size)}${wish}${listed}`;
};

export const renderDevices = ({ devices }: RunReport, screen: Screen): string[] => {
  const room = screen.isTerminal ? Math.max(20, screen.width - 4) : Number.POSITIVE_INFINITY;
  return devices.flatMap((device) =>
    wrap(deviceLine(device), room).map((line, i) => `${i === 0 ? "  " : "    "}${line}`),
  );
};

export const renderBitmaps = ({ bitmaps }: RunReport): string[] => {
  if (bitmaps === null) return ["  no unaccepted table"];
  const { version, physBase, unitSize, sizeBytes, tableBytes, unaccepted, plugged } = bitmaps;
  return [
    `  version ${version}, base ${formatAddress(physBase)}, unit ${formatSize(unitSize)}`,
    `  ${sizeBytes} bytes a bitmap, ${tableBytes} in all`,
    `  unaccepted ${runsText(normalRuns(unaccepted))}`,
    ...(plugged === null ? [] : [`  plugged    ${runsText(normalRuns(plugged))}`]),
  ];
};

export const renderCost = ({ cost, setup }: RunReport): string[] => {
  const calls = [...Object.entries(cost.tdcalls), ...Object.entries(cost.seamcalls)];
  const width = Math.max(12, ...calls.map(([leaf]) => leaf.length));
  return [
    ...calls.map(([leaf, count]) => `  ${leaf.padEnd(width)}  ${count}`),
    `  ${exitsName(setup.platform).padEnd(width)}  ${cost.exits}`,
    `  ${"virtual time".padEnd(width)}  ${formatDuration(cost.virtualNs)}`,
  ];
};

const MOST_LOG_LINES = 60;

/** Lines of the kernel, verbatim; the middle of a long log is left out. */
export const renderVerbatim = (lines: readonly string[], screen: Screen): string[] => {
  const shown = lines.map((line) => `  ${printable(line)}`);
  if (shown.length <= MOST_LOG_LINES) return shown;
  const half = MOST_LOG_LINES / 2;
  const gap = `  ${glyphs(screen).dots} ${shown.length - MOST_LOG_LINES} lines not shown; --json has them`;
  return [...shown.slice(0, half), gap, ...shown.slice(-half)];
};

/** Faults that were asked for, and those drawn ones that struck. */
export const renderFaults = ({ faults }: RunReport): string[] =>
  faults.filter(isTold).map((fault) => `  ${printable(faultText(fault))}`);
