// node scripts/designs-doc.mjs: writes the tables of docs/designs.md anew, from `tidemark compare --json`.

import { requireNode } from "../bin/node-version.mjs";

const compare = async (root, { scenario, set, designs }) => {
  const { join } = await import("node:path");
  const { runChild } = await import("./set-up/signals.mjs");
  const args = [
    join(root, "bin", "tidemark.mjs"),
    "compare",
    join(root, "scenarios", `${scenario}.yaml`),
    "--json",
    ...set.flatMap((value) => ["--set", value]),
    ...(designs.length === 0 ? [] : ["--designs", designs.join(",")]),
  ];
  const { output } = await runChild(process.execPath, args, { output: "pipe", cwd: root });
  return JSON.parse(output);
};

const main = async () => {
  const { readFileSync, writeFileSync } = await import("node:fs");
  const { join } = await import("node:path");
  const { comparisons, DESIGNS_PATH, designsDocument, keyOf } = await import("./designs-doc-tables.mjs");
  const { ROOT } = await import("./set-up/checkout.mjs");
  const { setUp } = await import("./set-up/prepare.mjs");
  await setUp({ packages: true, dist: true });
  const path = join(ROOT, DESIGNS_PATH);
  const results = new Map();
  for (const comparison of comparisons()) results.set(keyOf(comparison), await compare(ROOT, comparison));
  const before = readFileSync(path, "utf8");
  const document = designsDocument(before, results);
  if (document !== before) writeFileSync(path, document);
  process.stdout.write(`${DESIGNS_PATH} ${document === before ? "was up to date" : "written"}\n`);
  return 0;
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(main));
