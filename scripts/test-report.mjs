import { writeFileSync } from "node:fs";
import { JsonReporter } from "vitest/node";

/**
 * Vitest's JSON report, to the file that run-tests.mjs names in the environment: vitest's --outputFile stays the
 * user's, and no line tells the user about a file that is gone a moment later.
 */
export default class TestReport extends JsonReporter {
  async writeReport(report) {
    writeFileSync(process.env.TIDEMARK_TEST_REPORT, report);
  }
}
