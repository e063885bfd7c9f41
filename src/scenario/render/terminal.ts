import { formatDuration, formatRange } from "../quantity.ts";
import type { Judgement, ReportedViolation, RunReport, Verdict } from "../report.ts";
import { glyphs, type Paint, painter, printable, type Screen, type Style, wrap } from "./paint.ts";
import { renderMap } from "./terminal-map.ts";
import {
  renderBitmaps,
  renderBlocks,
  renderCost,
  renderCounters,
  renderDevices,
  renderFaults,
  renderVerbatim,
} from "./terminal-tables.ts";
import { renderTranscript } from "./terminal-transcript.ts";

export const VERDICT_STYLE: { readonly [verdict in Verdict]: Style } = {
  held: "green",
  broken: "red",
  failed: "yellow",
};

/** The whole report for a terminal, a file or a pipe, ending in a line end. */
export const renderTerminal = (report: RunReport, screen: Screen): string => {
  const paint = painter(screen);
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ["Transcript", renderTranscript(report, screen)],
    ["Faults", renderFaults(report)],
    ["Memory map", renderMap(report, screen)],
    ["Counters", renderCounters(report, paint)],
    ["Memory blocks", renderBlocks(report, screen)],
    ["Devices", renderDevices(report, screen)],
    ["Unaccepted table", renderBitmaps(report)],
    ["/proc/iomem", renderVerbatim(report.iomem, screen)],
    ["dmesg", renderVerbatim(report.dmesg, screen)],
    ["Cost", renderCost(report)],
  ];
  const body = sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => [paint("bold", title), ...lines].join("\n"));
  return `${[renderVerdict(report, screen, paint).join("\n"), ...body].join("\n\n")}\n`;
};

const renderVerdict = (report: RunReport, screen: Screen, paint: Paint): string[] => {
  const { scenario, verdict, fate } = report;
  const { dot } = glyphs(screen);
  const room = screen.isTerminal ? Math.max(20, screen.width) : Number.POSITIVE_INFINITY;
  const name = printable(scenario.title === "" ? scenario.name : `${scenario.name}: ${scenario.title}`);
  const word = paint("bold", paint(VERDICT_STYLE[verdict], verdict));
  const [first = "", ...more] = wrap(name, room - verdict.length - 2);
  const facts = [
    `${report.world} world`,
    `design ${printable(report.design)}`,
    `kernel ${report.setup.kernel}${lacking(report.setup.revert)} ${report.setup.accept}`,
    `seed ${report.seed}`,
    `${formatDuration(report.cost.virtualNs)} virtual`,
  ];
  const dead =
    fate.state === "running" || fate.state === "off" ? [] : [`machine ${fate.state}: ${printable(fate.why)}`];
  return [
    `${word}  ${first}`,
    ...more,
    ...wrap(facts.join(` ${dot} `), room).map((line) => paint("dim", line)),
    ...wrap([...summary(report), ...dead].join(` ${dot} `), room),
    ...complaints(report, room, paint),
  ];
};

/** What broke and what was not met, a few lines each. */
export const complaints = (report: RunReport, room: number, paint: Paint): string[] => [
  ...report.violations.flatMap((violation) => violationLines(violation, room, paint)),
  ...(report.violationsLeftOut > 0 ? [`  and ${report.violationsLeftOut} violations more`] : []),
  ...report.expectations
    .filter(({ held }) => !held)
    .flatMap((judgement) => failureLines(judgement, room, paint)),
  ...report.expectations.flatMap((judgement) => unaskedLines(judgement, room, paint)),
];

/** What a world cannot tell is no complaint, and not left out in silence. */
const unaskedLines = (judgement: Judgement, room: number, paint: Paint): string[] => {
  const { line, column, what, expected, unasked } = judgement;
  if (unasked === undefined) return [];
  const [about = ""] = what.split(": ");
  const which = expected === "" ? what : `${about}: ${unasked}`;
  const lines = wrap(`line ${line}:${column} ${printable(which)}: not asked in this world`, room - 4);
  return lines.map((one, index) => paint("dim", `${index === 0 ? "  " : "    "}${one}`));
};

const lacking = (fixes: readonly string[]): string =>
  fixes.length === 0 ? "" : ` without ${fixes.join(", ")}`;

export const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

/** How many expectations held and how many rules broke, in words. */
export const summary = ({ expectations, violations }: RunReport): string[] => {
  const written = expectations.filter(({ implicit }) => !implicit);
  const asked = written.filter(({ expected, unasked }) => unasked === undefined || expected !== "");
  const held = asked.filter((judgement) => judgement.held).length;
  const beyond = written.filter(({ unasked }) => unasked !== undefined).length;
  const declared = violations.filter(({ expected }) => expected).length;
  const surprising = violations.length - declared;
  return [
    written.length === 0 ? "nothing expected" : `${held} of ${plural(asked.length, "expectation")} held`,
    ...(beyond === 0 ? [] : [`${beyond} not asked in this world, or not all of them`]),
    `${plural(surprising, "violation")}${declared === 0 ? "" : `, ${declared} declared`}`,
  ];
};

const violationLines = (violation: ReportedViolation, room: number, paint: Paint): string[] => {
  const { invariant, step, line, range, why, expected } = violation;
  const where = range === null ? "" : ` at ${formatRange(range.start, range.end)}`;
  const declared = expected ? " (declared)" : "";
  const [first = "", ...more] = wrap(
    `${invariant} broken${declared}, line ${line}, step ${step}${where}: ${printable(why)}`,
    room - 4,
  );
  return [`  ${paint(expected ? "yellow" : "red", first)}`, ...more.map((text) => `    ${text}`)];
};

const failureLines = (judgement: Judgement, room: number, paint: Paint): string[] => {
  const { line, column, what, expected, found } = judgement;
  const said = `line ${line}:${column} ${printable(what)}: expected ${printable(expected)}, found ${printable(found)}`;
  const [first = "", ...more] = wrap(said, room - 4);
  return [`  ${paint("yellow", first)}`, ...more.map((text) => `    ${text}`)];
};
