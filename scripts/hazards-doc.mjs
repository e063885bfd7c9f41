// npm run hazards-doc: writes the tables of docs/hazards.md anew, from what `tidemark check` finds.

import { requireNode } from "../bin/node-version.mjs";

const PATH = "docs/hazards.md";
/** States after which a configuration's search ends. */
const MOST_STATES = 300_000;

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
  const { tidemark, writeMade } = await import("./made-document.mjs");
  return writeMade(PATH, async (root, before) => {
    let document = before;
    for (const design of ["bitmaps", "callbacks", "notifier"])
      document = placed(document, design, (await tidemark(root, ["check", design, "--hazards"])).trim());
    const amid = (await tidemark(root, ["check", "tide", "--hazards"])).trim().split("\n");
    const isAmid = (row, line) => line < 2 || row.startsWith("| K");
    document = placed(document, "tide amid", amid.filter(isAmid).join("\n"));
    const held = await tidemark(root, ["check", "tide", "--json", "--max-states", String(MOST_STATES)]);
    return placed(document, "tide", heldTable(held));
  });
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(main));
