// npm run field-doc: writes the tables of docs/field-reports.md anew, from `tidemark run --json`.

import { requireNode } from "../bin/node-version.mjs";

const played = async (root, { scenario, set }) => {
  const { tidemark } = await import("./made-document.mjs");
  const file = `scenarios/${scenario}.yaml`;
  // What the scenario expects of its own size need not hold at another.
  return JSON.parse(
    await tidemark(root, ["run", file, "--json", ...set.flatMap((value) => ["--set", value])]),
  );
};

const main = async () => {
  const { FIELD_PATH, fieldDocument, keyOf, runs } = await import("./field-doc-tables.mjs");
  const { writeMade } = await import("./made-document.mjs");
  return writeMade(FIELD_PATH, async (root, before) => {
    const results = new Map();
    for (const one of runs()) results.set(keyOf(one), await played(root, one));
    return fieldDocument(before, results);
  });
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(main));
