// node scripts/designs-doc.mjs: writes the tables of docs/designs.md anew, from `tidemark compare --json`.

import { requireNode } from "../bin/node-version.mjs";

const compare = async (root, { scenario, set, designs }) => {
  const { tidemark } = await import("./made-document.mjs");
  const settings = set.flatMap((value) => ["--set", value]);
  const named = designs.length === 0 ? [] : ["--designs", designs.join(",")];
  return JSON.parse(
    await tidemark(root, ["compare", `scenarios/${scenario}.yaml`, "--json", ...settings, ...named]),
  );
};

const main = async () => {
  const { comparisons, DESIGNS_PATH, designsDocument, keyOf } = await import("./designs-doc-tables.mjs");
  const { writeMade } = await import("./made-document.mjs");
  return writeMade(DESIGNS_PATH, async (root, before) => {
    const results = new Map();
    for (const comparison of comparisons()) results.set(keyOf(comparison), await compare(root, comparison));
    return designsDocument(before, results);
  });
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(main));
