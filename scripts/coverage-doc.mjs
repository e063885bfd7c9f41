// npm run coverage-doc: writes docs/coverage.md, everything the sources say is not modelled. With --check it
// only compares.

import { requireNode } from "../bin/node-version.mjs";

const main = async (args) => {
  const { existsSync, mkdirSync, readFileSync, writeFileSync } = await import("node:fs");
  const { dirname, join } = await import("node:path");
  const { COVERAGE_PATH, coverageDocument, modelSources } = await import("./coverage.mjs");
  const { ROOT } = await import("./set-up/checkout.mjs");
  const path = join(ROOT, COVERAGE_PATH);
  const document = coverageDocument(modelSources(ROOT));
  const current = existsSync(path) && readFileSync(path, "utf8") === document;
  if (args.includes("--check")) {
    if (current) return 0;
    process.stderr.write(`${COVERAGE_PATH} is not what the sources say: run npm run coverage-doc\n`);
    return 1;
  }
  mkdirSync(dirname(path), { recursive: true });
  if (!current) writeFileSync(path, document);
  process.stdout.write(`${COVERAGE_PATH} ${current ? "was up to date" : "written"}\n`);
  return 0;
};

requireNode();
import("./set-up/prepare.mjs").then(({ asScript }) => asScript(() => main(process.argv.slice(2))));
