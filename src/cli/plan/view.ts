import type { ExtensionPoolFacts, SnpOverhead, TdOverhead } from "../../plan/host-overhead.ts";
import type { Limit, LimitSeverity } from "../../plan/limits.ts";
import type { Range } from "../../plan/machine-facts.ts";
import type { PlanReport, Timing, VmmName } from "../../plan/plan-report.ts";
import { formatDuration, formatRange, formatSize, roughSize } from "../../scenario/quantity.ts";
import {
  type Paint,
  painter,
  printable,
  type Screen,
  type Style,
  wrap,
} from "../../scenario/render/paint.ts";

const LABEL = 17;
const INDENT = "  ";
/** Less is rounding. */
const WORTH_TELLING_NS = 1000;

const STYLE: { readonly [severity in LimitSeverity]: Style } = {
  ok: "green",
  note: "cyan",
  warning: "yellow",
  error: "red",
};

/** Columns that what is said needs beside its label: the range of a machine that has less than 1 TiB. */
const LEAST_SAID = 32;

/** A label and what is said, wrapped on a terminal: beside the label, whose column stays free, or below it. */
const row = (label: string, text: string, screen: Screen): string[] => {
  const head = `${INDENT}${label.padEnd(LABEL)}`;
  if (!screen.isTerminal) return [`${head}${text}`];
  if (screen.width < head.length + LEAST_SAID) {
    const said = wrap(text, Math.max(LEAST_SAID, screen.width - 2 * INDENT.length));
    const below = said.map((line) => `${INDENT}${INDENT}${line}`);
    return label === "" ? below : [`${INDENT}${label}`, ...below];
  }
  const [first = "", ...rest] = wrap(text, screen.width - head.length);
  return [`${head}${first}`, ...rest.map((line) => `${" ".repeat(head.length)}${line}`)];
};

/** A plan for people. */
export const renderPlan = (report: PlanReport, vmms: readonly VmmName[], screen: Screen): string => {
  const paint = painter(screen);
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", paint("bold", title), ...lines];
  const lines = [
    ...(screen.isTerminal ? wrap(titleOf(report), screen.width) : [titleOf(report)]).map((line) =>
      paint("bold", line),
    ),
    ...section("Memory", memoryLines(report, screen)),
    ...section("Unaccepted-memory table", tableLines(report, screen)),
    ...section("Time, virtual", timeLines(report, screen, paint)),
    ...section("Host", hostLines(report, screen)),
    ...section(
      "Limits",
      report.limits.flatMap((limit) => limitLines(limit, screen, paint)),
    ),
    ...vmms.flatMap((vmm) => section(SNIPPET_TITLES[vmm], snippetLines(report.snippets[vmm]))),
  ];
  return `${lines.join("\n")}\n`;
};

const SNIPPET_TITLES: { readonly [vmm in VmmName]: string } = {
  qemu: "QEMU",
  libvirt: "libvirt",
  kubevirt: "KubeVirt",
};

const titleOf = ({ request }: PlanReport): string => {
  const { memory, hotplug, vcpus, nodes, platform, design, device } = request;
  const cpus = `${vcpus} vCPU${vcpus === 1 ? "" : "s"}${nodes === 1 ? "" : `, ${nodes} nodes`}`;
  const growth = hotplug === 0 ? "no hotplug" : `${formatSize(hotplug)} more by ${device}, design ${design}`;
  return `${formatSize(memory)} ${platform === "snp" ? "SEV-SNP" : "TDX"} guest, ${cpus}, ${growth}`;
};

const rangeText = ({ start, end }: Range): string =>
  `${formatRange(start, end)} (${formatSize(end - start)})`;

const memoryLines = ({ machine, request }: PlanReport, screen: Screen): string[] => {
  const { ram, window, blocks, memmap } = machine;
  const later = request.hotplug === 0 ? "" : `, ${blocks.hotplug} more when all is plugged`;
  const structs = request.hotplug === 0 ? "" : `, ${roughSize(memmap.hotplug)} for what is plugged`;
  return [
    ...ram.flatMap((range) => row("RAM", rangeText(range), screen)),
    ...(window === null ? [] : row("hot-plug window", rangeText(window), screen)),
    ...row("memory blocks", `${formatSize(blocks.size)} each, ${blocks.boot} at boot${later}`, screen),
    ...row("struct pages", `${roughSize(memmap.boot)} for boot memory${structs}`, screen),
  ];
};

const tableLines = ({ machine: { table, window } }: PlanReport, screen: Screen): string[] => {
  if (table === null) return row("none", "firmware leaves no memory unaccepted", screen);
  const bitmaps = table.version === 1 ? "one bitmap" : "two bitmaps (unaccepted, plugged)";
  const covers = window === null ? "" : table.coversWindow ? ", the window too" : ", not the window";
  return [
    ...row(
      "version",
      `${table.version}: ${bitmaps} of ${table.bitmapBytes} bytes, ${table.tableBytes} in all`,
      screen,
    ),
    ...row(
      "lies at",
      `0x${table.address.toString(16)}, EFI memory of type ACPI_RECLAIM_MEMORY, reserved`,
      screen,
    ),
    ...row("covers", `${formatRange(table.covers.start, table.covers.end)}${covers}`, screen),
    ...row("unit", `${formatSize(table.unitSize)}, ${table.units} bits`, screen),
  ];
};

const timeLines = (report: PlanReport, screen: Screen, paint: Paint): string[] => {
  const { boot, plug, unplug, request } = report;
  return [
    ...timingLines("boot lazy", boot.lazy, screen, paint),
    ...timingLines("boot eager", boot.eager, screen, paint),
    ...(plug === null ? [] : timingLines(`plug (${request.accept})`, plug, screen, paint)),
    ...(unplug === null ? [] : timingLines("unplug", unplug, screen, paint)),
  ];
};

const shareOf = (ns: number, of: number): string => (of === 0 ? "" : ` (${Math.round((100 * ns) / of)} %)`);

const timingLines = (label: string, timing: Timing, screen: Screen, paint: Paint): string[] => {
  const { ns, lowNs, highNs, status, detail, from, bill, waitNs, sideBySideNs } = timing;
  const runs = from.length === 1 ? "a run" : "runs";
  const basis = from.length === 0 ? "run" : `from ${runs} of ${from.map(formatSize).join(" and ")}`;
  const ended = status === "SUCCESS" ? "" : ` ${paint("red", `ends with ${status}`)} ${printable(detail)}`;
  const said = `${formatDuration(ns)}, ${formatDuration(lowNs)} to ${formatDuration(highNs)}; ${basis}${ended}`;
  const parts = bill.map(
    (one) => `${count(one.count)} ${one.what}: ${formatDuration(one.ns)}${shareOf(one.ns, ns)}`,
  );
  if (waitNs >= WORTH_TELLING_NS) parts.push(`waiting: ${formatDuration(waitNs)}${shareOf(waitNs, ns)}`);
  if (sideBySideNs >= WORTH_TELLING_NS)
    parts.push(`of it side by side, guest and host: ${formatDuration(sideBySideNs)}`);
  return [...row(label, said, screen), ...parts.flatMap((part) => row("", paint("dim", part), screen))];
};

const count = (n: number): string => String(Number.isInteger(n) ? n : Number(n.toFixed(2)));

const hostLines = (report: PlanReport, screen: Screen): string[] => {
  const { host, extensions } = report;
  return [
    ...("rmp" in host ? snpHostLines(host, screen) : tdHostLines(host, screen)),
    ...row("shared", `${roughSize(host.shared)} of bounce buffers`, screen),
    ...(extensions === null ? [] : row("extension pool", poolText(extensions), screen)),
  ];
};

const bothSizes = (large: number, small: number): string =>
  `${roughSize(large)} with 2 MiB mappings, ${roughSize(small)} with 4 KiB mappings`;

const tdHostLines = (host: TdOverhead, screen: Screen): string[] => [
  ...row("metadata", `${roughSize(host.pamt)} of PAMT for all memory`, screen),
  ...row("dynamic PAMT", bothSizes(host.pamtDynamic, host.pamtDynamicSmall), screen),
  ...row("secure EPT", bothSizes(host.sept, host.septSmall), screen),
  ...row("control pages", roughSize(host.control), screen),
];

const snpHostLines = (host: SnpOverhead, screen: Screen): string[] => [
  ...row("metadata", `${roughSize(host.rmp)} of RMP for all memory, reserved when the host boots`, screen),
  ...row("nested tables", bothSizes(host.nested, host.nestedSmall), screen),
  ...row("control pages", `${roughSize(host.control)}: the guest's context and a VMSA for each vCPU`, screen),
];

const poolText = ({ pages, bytes, lists, blocksContiguous, blocksScattered }: ExtensionPoolFacts): string =>
  pages === 0
    ? "none"
    : `${pages} pages (${roughSize(bytes)}) once for the host, if an add-on feature wants them: ` +
      `${lists} lists, ${blocksContiguous} to ${blocksScattered} blocks of 2M broken up`;

const limitLines = ({ severity, what, text }: Limit, screen: Screen, paint: Paint): string[] => {
  const [first = "", ...rest] = row(severity, printable(`${what}: ${text}`), screen);
  return [
    `${INDENT}${paint(STYLE[severity], severity)}${first.slice(INDENT.length + severity.length)}`,
    ...rest,
  ];
};

const snippetLines = (text: string): string[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => `${INDENT}${line}`.trimEnd());
