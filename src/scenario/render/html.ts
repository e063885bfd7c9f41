import { formatDuration, formatSize } from "../quantity.ts";
import type { MapPicture, RunReport } from "../report.ts";
import { renderCurves } from "./html-curves.ts";
import { MAP_SCRIPT, renderMapSection } from "./html-map.ts";
import { STYLE } from "./html-style.ts";
import {
  renderCostTable,
  renderCounterTable,
  renderFaultList,
  renderGuestView,
  renderProblems,
  renderTranscriptTable,
} from "./html-tables.ts";
import { renderTimeline } from "./html-timeline.ts";
import { html, Markup } from "./markup.ts";
import { acceptCalls, exitsName } from "./platform-words.ts";

/** Nothing is loaded from anywhere, and the page says so to the browser. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * One self-contained page: verdict, maps, timeline, curves, and everything else in words.
 *
 * @param frames the map after each step, for the slider; may be empty
 */
export const renderHtml = (report: RunReport, frames: readonly MapPicture[]): string => {
  const { scenario, verdict, setup } = report;
  const name = scenario.title === "" ? scenario.name : scenario.title;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${scenario.name}: ${verdict}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
<header>
<span class="verdict ${verdict}">${verdict}</span>
<h1>${name}</h1>
<div class="about">${paragraphs(scenario.about)}</div>
${facts(report)}
</header>
${renderProblems(report)}
${renderFaultList(report)}
${renderMapSection(report, frames)}
${renderTimeline(report)}
${renderTranscriptTable(report)}
${renderCurves(report)}
${renderCounterTable(report)}
${renderCostTable(report)}
${renderGuestView(report)}
<footer>Tidemark ${report.tidemark}, scenario ${scenario.file}, ${setup.vcpus} vCPUs, vmm ${JSON.stringify(setup.vmm)}</footer>
</main>
<script>${new Markup(MAP_SCRIPT)}</script>
</body>
</html>
`;
  return page.text;
};

const paragraphs = (text: string): Markup[] =>
  text
    .split(/\n\s*\n/)
    .filter((part) => part.trim() !== "")
    .map((part) => html`<p>${part.trim()}</p>`);

const facts = (report: RunReport): Markup => {
  const { setup, cost, fate } = report;
  const items: readonly (readonly [string, string])[] = [
    ["machine", `${formatSize(setup.memory)} of ${formatSize(setup.maxmem)}`],
    ["design", report.design],
    ["kernel", `${setup.kernel}, ${setup.accept}`],
    ["world", report.world],
    ["seed", String(report.seed)],
    ["virtual time", formatDuration(cost.virtualNs)],
    ["page accepts", String(acceptCalls(cost))],
    [exitsName(setup.platform), String(cost.exits)],
    ["machine is", fate.why === "" ? fate.state : `${fate.state} (${fate.why})`],
  ];
  return html`<ul class="facts">${items.map(([key, value]) => html`<li><span>${key}</span> <b>${value}</b></li>`)}</ul>`;
};
