// npm run hazards-doc: writes the tables of docs/hazards.md anew, from what `tidemark check` finds.

import { requireNode } from "../bin/node-version.mjs";

const PATH = "docs/hazards.md";
/** States after which a configuration's search ends. */
const MOST_STATES = 300_000;

const check = async (root, args) => {
  const { join } = await import("node:path");
  const { runChild } = await import("./set-up/signals.mjs");
  const bin = join(root, "bin", "tidemark.mjs");
  const { status, output } = await runChild(process.execPath, [bin, "check", ...args], {
    output: "pipe",
    cwd: root,
  });
  if (status === 0 || status === 1) return output;
  throw new Error(`tidemark check ${args.join(" ")} ended with status ${status}: ${output.trim()}`);
};

/** Digits in groups of three, as in the table of hazards. */
const grouped = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, " ");

const heldTable = (output) => {
  const rows = JSON.parse(output).checked.map(({ configuration, states, depth, verdict, end }) => {
    const told = verdict === "partial" ? `held so far, ended by ${end}` : verdict;
    return `| ${configuration.name} | ${grouped(states)} | ${depth} | ${told} |`;
  });
  return ["| configuration | states | depth | verdict |", "| --- | --- | --- | --- |", ...rows].join("\n");
};

/** Puts `table` between the marks of `name`. */
const placed = (document, name, table) => {
  const [from, to] = [`<!-- made: ${name} -->`, `<!-- end: ${name} -->`];
  const [start, end] = [document.indexOf(from), document.indexOf(to)];
  if (start === -1 || end < start) throw new Error(`${PATH}: expected the marks ${from} and ${to}`);
  return `${document.slice(0, start + from.length)}\n\n${table}\n\n${document.slice(end)}`;
};

const main = async () => {
  const { readFileSync, writeFileSync } = await import("node:fs");
  const { join } = await import("node:path");
  const { ROOT } = await import("./set-up/checkout.mjs");
  const { setUp } = await import("./set-up/prepare.mjs");
  await setUp({ packages: true, dist: true });
  const hazards = {};
  for (const design of ["bitmaps", "callbacks", "notifier"])
    hazards[design] = (await check(ROOT, [design, "--hazards"])).trim();
  const held = heldTable(await check(ROOT, ["tide", "--json", "--max-states", String(MOST_STATES)]));
  const path = join(ROOT, PATH);
  const before = readFileSync(path, "utf8");
  const limits = Object.entries(hazards).reduce(
    (text, [design, table]) => placed(text, design, table),
    before,
  );
  const document = placed(limits, "tide", held);
  if (document !== before) writeFileSync(path, document);
  process.stdout.write(`${PATH} ${document === before ? "was up to date" : "written"}\n`);
  return 0;
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(main));
