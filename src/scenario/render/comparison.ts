import type { DesignComparison, DesignCost, DesignResult } from "../design-comparison.ts";
import { formatDuration, roughSize } from "../quantity.ts";
import { type Paint, painter, printable, type Screen, type Style, wrap } from "./paint.ts";
import { acceptCalls, releaseCalls } from "./platform-words.ts";

/** A table of one row a design; columns behind the first are figures. */
interface Table {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const NONE = "-";
const VERDICT = "Verdict";
/** Columns before each row of a table, and between two cells. */
const [INDENT, GAP] = [2, 2];

const duration = (ns: number | null): string => (ns === null ? NONE : formatDuration(ns));
const size = (bytes: number): string => (bytes === 0 ? "0" : roughSize(bytes));

const exits = (cost: DesignCost, kind: string): string => String(cost.exits[kind] ?? 0);

const otherCalls = (cost: DesignCost): number =>
  Object.values(cost.tdcalls).reduce((sum, count) => sum + count, 0) - acceptCalls(cost) - releaseCalls(cost);

/** Columns of each table: its heading, and what it says of a design that was played. */
const COSTS: readonly (readonly [string, readonly (readonly [string, (cost: DesignCost) => string])[]])[] = [
  [
    "Virtual time and memory",
    [
      ["boot", ({ bootNs }) => duration(bootNs)],
      ["plug", ({ plugNs }) => duration(plugNs)],
      ["unplug", ({ unplugNs }) => duration(unplugNs)],
      ["peak VMM", ({ peakHostMemory }) => size(peakHostMemory)],
    ],
  ],
  [
    "TDCALLs (ACCEPT, RELEASE, others) and TD exits (by accept, access, ...)",
    [
      ["ACCEPT", (cost) => String(acceptCalls(cost))],
      ["RELEASE", (cost) => String(releaseCalls(cost))],
      ["other", (cost) => String(otherCalls(cost))],
      ["accept", (cost) => exits(cost, "accept")],
      ["access", (cost) => exits(cost, "access")],
      ["TDVMCALL", (cost) => exits(cost, "TDVMCALL")],
      ["kick", (cost) => exits(cost, "host kick")],
    ],
  ],
  [
    "Accepted memory, table and log",
    [
      ["never plugged", ({ unpluggedAccepted }) => size(unpluggedAccepted)],
      ["for nothing", ({ acceptedForNothing }) => size(acceptedForNothing)],
      ["bitmaps", ({ bitmapBytes }) => (bitmapBytes === 0 ? NONE : `${bitmapBytes} B`)],
      ["log lines", ({ logLines }) => String(logLines)],
    ],
  ],
];

const SHOWN_NAMES = 4;

const namesOf = (violations: readonly string[]): string => {
  const more = violations.length - SHOWN_NAMES;
  const shown = violations.slice(0, SHOWN_NAMES).join(" ");
  return violations.length === 0 ? NONE : `${shown}${more > 0 ? ` +${more}` : ""}`;
};

/** The same with the platform behind each design's name, where there is more than one. */
const labelled = (comparison: DesignComparison): DesignComparison => {
  const platforms = new Set(comparison.designs.map(({ platform }) => platform));
  if (platforms.size < 2) return comparison;
  const designs = comparison.designs.map((result) => ({
    ...result,
    design: `${result.design} ${result.platform}`,
  }));
  return { ...comparison, designs };
};

const verdictTable = (designs: readonly DesignResult[]): Table => ({
  title: VERDICT,
  header: ["design", "verdict", "machine", "first violation", "all violations"],
  rows: designs.map(({ design, verdict, fate, firstViolation: first, violations }) => [
    design,
    verdict,
    fate.state,
    first === null ? NONE : `${first.invariant} line ${first.line}`,
    namesOf(violations),
  ]),
});

/** Words of TDX, and what they are where a guest of SEV-SNP is among the designs. */
const BOTH: ReadonlyMap<string, string> = new Map([
  [
    "TDCALLs (ACCEPT, RELEASE, others) and TD exits (by accept, access, ...)",
    "Guest calls (ACCEPT or PVALIDATE, RELEASE or rescind, others) and exits (by accept, access, ...)",
  ],
  ["TDVMCALL", "call"],
]);
const ofPlatforms = (words: string, designs: readonly DesignResult[]): string =>
  designs.some(({ platform }) => platform === "snp") ? (BOTH.get(words) ?? words) : words;

const tablesOf = ({ designs }: DesignComparison): Table[] => [
  verdictTable(designs),
  ...COSTS.map(([title, columns]) => ({
    title: ofPlatforms(title, designs),
    header: ["design", ...columns.map(([heading]) => ofPlatforms(heading, designs))],
    rows: designs.map(({ design, cost }) => [
      design,
      ...columns.map(([, say]) => (cost === null ? NONE : say(cost))),
    ]),
  })),
];

/** What each design that did not hold came upon first, and where designs part, as sentences. */
const sentencesOf = ({ designs, partings }: DesignComparison): { title: string; lines: string[] }[] => [
  {
    title: "What came first",
    lines: designs.flatMap(({ design, why, firstViolation: first, firstFailure, fate }) => {
      const said = [
        ...(why === "" ? [] : [why]),
        ...(first === null
          ? []
          : [`${first.invariant} at line ${first.line}, step ${first.step}: ${first.why}`]),
        ...(firstFailure === null ? [] : [firstFailure]),
        ...(fate.why === "" ? [] : [fate.why]),
      ];
      return said.map((text) => `${design}: ${text}`);
    }),
  },
  {
    title: "Where they part",
    lines: partings.map(
      ({ design, against, line, step, againstStep, does, againstDoes }) =>
        `${design}, line ${line}: step ${step ?? NONE} ${does}; ${against}: step ${againstStep ?? NONE} ${againstDoes}`,
    ),
  },
];

const VERDICT_STYLE: { readonly [verdict: string]: Style } = {
  held: "green",
  broken: "red",
  failed: "yellow",
};

/** The same in as many tables as fit the width, each with the column of names. One column is never cut. */
const folded = (table: Table, width: number): Table[] => {
  const { header, rows } = table;
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => printable(row[column]!).length)),
  );
  const groups: number[][] = [];
  let left = -1;
  for (let column = 1; column < header.length; column++) {
    const needed = widths[column]! + GAP;
    if (needed > left) {
      groups.push([0]);
      left = width - INDENT - widths[0]!;
    }
    groups.at(-1)!.push(column);
    left -= needed;
  }
  const only = (row: readonly string[], columns: readonly number[]) => columns.map((column) => row[column]!);
  return groups.map((columns) => ({
    title: table.title,
    header: only(header, columns),
    rows: rows.map((row) => only(row, columns)),
  }));
};

const rowsOf = ({ title, header, rows }: Table, paint: Paint): string[] => {
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => printable(row[column]!).length)),
  );
  const isText = title === VERDICT;
  const line = (row: readonly string[], style: (text: string, column: number) => string): string =>
    row
      .map((cell, column) => {
        const said = printable(cell);
        const width = widths[column]!;
        return style(column === 0 || isText ? said.padEnd(width) : said.padStart(width), column);
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  const plain = (text: string): string => text;
  const verdict =
    (row: readonly string[]) =>
    (text: string, column: number): string => {
      const style = isText && header[column] === "verdict" ? VERDICT_STYLE[row[column]!] : undefined;
      return style === undefined ? text : paint(style, text);
    };
  const indent = " ".repeat(INDENT);
  return [
    `${indent}${paint("dim", line(header, plain))}`,
    ...rows.map((row) => `${indent}${line(row, verdict(row))}`),
  ];
};

const tableLines = (table: Table, paint: Paint, width: number): string[] => [
  ...wrap(table.title, width).map((text) => paint("bold", text)),
  ...folded(table, width).flatMap((part) => rowsOf(part, paint)),
];

const headingOf = ({ scenario, world, seed, designs }: DesignComparison): string => {
  const name = scenario.title === "" ? scenario.name : `${scenario.name}: ${scenario.title}`;
  const platforms = [...new Set(designs.map(({ platform }) => platform))];
  const count = designs.length / platforms.length;
  const on = platforms.length < 2 ? "" : ` on ${platforms.join(" and ")}`;
  return `${name} (${count} ${count === 1 ? "design" : "designs"}${on}, ${world} world, seed ${seed})`;
};

/**
 * The comparison for a terminal, a file or a pipe: nothing is wider than the terminal, as long as it has 40 columns, or than 80
 * columns elsewhere.
 */
export const renderComparison = (comparison: DesignComparison, screen: Screen): string => {
  const paint = painter(screen);
  const width = Math.max(40, screen.isTerminal ? screen.width : 80) - 2;
  const sentences = sentencesOf(labelled(comparison)).filter(({ lines }) => lines.length > 0);
  const sections = [
    wrap(printable(headingOf(comparison)), width),
    ...tablesOf(labelled(comparison)).map((table) => tableLines(table, paint, width + 2)),
    ...sentences.map(({ title, lines }) => [
      paint("bold", title),
      ...lines.flatMap((line) =>
        wrap(printable(line), width - 2).map((text, i) => `${i === 0 ? "  " : "    "}${text}`),
      ),
    ]),
  ];
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
};

const cell = (text: string): string => printable(text).replaceAll("\\", "\\\\").replaceAll("|", "\\|");

/** The same as Markdown. */
export const renderComparisonMarkdown = (comparison: DesignComparison): string => {
  const tables = tablesOf(labelled(comparison)).map(({ title, header, rows }) =>
    [
      `### ${title}`,
      "",
      `| ${header.join(" | ")} |`,
      `| ${header.map((_, column) => (column === 0 || title === VERDICT ? "---" : "---:")).join(" | ")} |`,
      ...rows.map((row) => `| ${row.map(cell).join(" | ")} |`),
    ].join("\n"),
  );
  const sentences = sentencesOf(labelled(comparison))
    .filter(({ lines }) => lines.length > 0)
    .map(({ title, lines }) => [`### ${title}`, "", ...lines.map((line) => `- ${cell(line)}`)].join("\n"));
  return `${[`## ${cell(headingOf(comparison))}`, ...tables, ...sentences].join("\n\n")}\n`;
};
