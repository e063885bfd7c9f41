// npm run field-doc: writes the tables of docs/field-reports.md anew, from `tidemark run --json`.

import { requireNode } from "../bin/node-version.mjs";

const played = async (root, { scenario, set }) => {
  const { join } = await import("node:path");
  const { runChild } = await import("./set-up/signals.mjs");
  const args = [
    join(root, "bin", "tidemark.mjs"),
    "run",
    join(root, "scenarios", `${scenario}.yaml`),
    "--json",
    ...set.flatMap((value) => ["--set", value]),
  ];
  // What the scenario expects of its own size need not hold at another.
  const { output } = await runChild(process.execPath, args, { output: "pipe", cwd: root });
  return JSON.parse(output);
};

const main = async () => {
  const { readFileSync, writeFileSync } = await import("node:fs");
  const { join } = await import("node:path");
  const { FIELD_PATH, fieldDocument, keyOf, runs } = await import("./field-doc-tables.mjs");
  const { ROOT } = await import("./set-up/checkout.mjs");
  const { setUp } = await import("./set-up/prepare.mjs");
  await setUp({ packages: true, dist: true });
  const path = join(ROOT, FIELD_PATH);
  const results = new Map();
  for (const one of runs()) results.set(keyOf(one), await played(ROOT, one));
  const before = readFileSync(path, "utf8");
  const document = fieldDocument(before, results);
  if (document !== before) writeFileSync(path, document);
  process.stdout.write(`${FIELD_PATH} ${document === before ? "was up to date" : "written"}\n`);
  return 0;
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(main));
