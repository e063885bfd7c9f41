import type { Difference, LockstepReport } from "../lockstep/lockstep-report.ts";
import { formatSize } from "../quantity.ts";
import type { RunReport } from "../report.ts";
import { glyphs, type Paint, painter, printable, type Screen, wrap } from "./paint.ts";
import { complaints, plural, summary, VERDICT_STYLE } from "./terminal.ts";

/** What both worlds did, and where they first differ, or everywhere; ends in a line end. */
export const renderLockstep = (report: LockstepReport, screen: Screen, all: boolean): string => {
  const paint = painter(screen);
  const { result, scenario, worlds, differences } = report;
  const { dot } = glyphs(screen);
  const room = screen.isTerminal ? Math.max(20, screen.width) : Number.POSITIVE_INFINITY;
  const name = printable(scenario.title === "" ? scenario.name : `${scenario.name}: ${scenario.title}`);
  const [first = "", ...more] = wrap(name, room - result.length - 2);
  const { setup } = worlds.model;
  const facts = [
    "both worlds",
    `design ${printable(report.design)}`,
    `kernel ${setup.kernel} ${setup.accept}`,
    `seed ${report.seed}`,
    `${plural(report.compared, "step")} compared`,
  ];
  const shown = all ? differences : differences.slice(0, 1);
  const left = differences.length - shown.length;
  const lines = [
    `${paint("bold", paint(result === "same" ? "green" : "red", result))}  ${first}`,
    ...more,
    ...wrap(facts.join(` ${dot} `), room).map((line) => paint("dim", line)),
    ...worldLines("model", worlds.model, room, paint),
    ...worldLines("linux", worlds.linux, room, paint),
    ...shown.flatMap((difference, index) => differenceLines(difference, index === 0, room)),
    ...(left === 0 ? [] : [`and ${plural(left, "difference")} more: --all-differences shows all`]),
  ];
  return `${lines.join("\n")}\n`;
};

const worldLines = (name: string, report: RunReport, room: number, paint: Paint): string[] => {
  const { verdict, fate } = report;
  const dead =
    fate.state === "running" || fate.state === "off" ? [] : [`machine ${fate.state}: ${printable(fate.why)}`];
  const said = [...summary(report), ...dead].join(", ");
  return [
    ...wrap(`${name}: ${verdict}, ${said}`, room).map((line, index) =>
      index === 0 ? line.replace(verdict, paint(VERDICT_STYLE[verdict], verdict)) : line,
    ),
    ...complaints(report, room, paint),
  ];
};

const differenceLines = (
  { step, line, what, quantity, about, bound, model, linux }: Difference,
  isFirst: boolean,
  room: number,
): string[] => {
  const order = isFirst ? "first difference" : "difference";
  const where = line === null ? "at the end" : `in line ${line}, step ${step}, ${printable(what)}`;
  const allowed = bound === 0 ? "" : `, which may differ by ${formatSize(bound)}`;
  const subject = `${quantity}${about === "" ? "" : ` of ${about}`}${allowed}`;
  return [
    ...wrap(`${order} ${where}: ${subject}`, room),
    `  model  ${printable(model)}`,
    `  linux  ${printable(linux)}`,
  ];
};
