import { existsSync, mkdtempSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./set-up/checkout.mjs";
import { ENTRY } from "./set-up/dist.mjs";
import { BuildFailure } from "./set-up/failure.mjs";
import { setUp, statusOfFailure } from "./set-up/prepare.mjs";
import { runChild } from "./set-up/signals.mjs";

/** "3 passed, 0 failed", with ", 1 skipped" if any: the form of every last line. */
export const summaryLine = ({ passed, failed, skipped = 0 }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;

/** Prints the line in one write that is done when this returns, so that nothing can come after it. */
export const printSummary = (counts) => {
  try {
    writeSync(1, `${summaryLine(counts)}\n`);
  } catch (error) {
    if (error.code !== "EPIPE") throw error;
  }
};

/** A test file that failed without a failed test in it: it did not load, or a hook outside tests threw. */
const failedAsAWhole = (file) =>
  file.status === "failed" && !(file.assertionResults ?? []).some((test) => test.status === "failed");

/**
 * Counts what ran.
 *
 * @param report vitest's JSON report, parsed; undefined if there is none
 * @param status vitest's exit status
 * @returns numbers of tests. At least one failed if vitest says so or if no test ran at all.
 */
export const countTests = (report, status) => {
  const passed = report?.numPassedTests ?? 0;
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  const broken = (report?.testResults ?? []).filter(failedAsAWhole).length;
  const failed = (report?.numFailedTests ?? 0) + broken;
  const somethingElse = failed === 0 && (status !== 0 || passed === 0);
  return { passed, failed: somethingElse ? 1 : failed, skipped };
};

const readReport = (path) => {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
};

/** Names the file for scripts/test-report.mjs, which cannot be imported here: it needs vitest. */
const REPORT_VARIABLE = "TIDEMARK_TEST_REPORT";

/** Vitest's own choice of reporters, which naming one takes away, unless the user names some. */
const reporters = (args) => {
  const ours = `--reporter=${join(ROOT, "scripts", "test-report.mjs")}`;
  if (args.some((arg) => arg.startsWith("--reporter"))) return [ours];
  const github = process.env.GITHUB_ACTIONS ? ["--reporter=github-actions"] : [];
  return ["--reporter=default", ...github, ours];
};

/** The other loaders write beside the configuration, which a read-only checkout does not allow. */
const configLoader = (args) =>
  args.some((arg) => arg.startsWith("--configLoader")) ? [] : ["--configLoader=runner"];

const runVitest = async (args) => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-test-"));
  const file = join(folder, "report.json");
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  try {
    const given = [vitest, "run", ...configLoader(args), ...reporters(args), ...args];
    const env = { ...process.env, [REPORT_VARIABLE]: file };
    const { status } = await runChild(process.execPath, given, { cwd: ROOT, env });
    const report = readReport(file);
    if (report === undefined)
      process.stderr.write(`tidemark: vitest ended with status ${status} and no report\n`);
    return { status, counts: countTests(report, status) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Packages, and the program if this checkout has one: tests run it. One failure if it does not build. */
const prepareForTests = async () => {
  try {
    await setUp({ packages: true, dist: existsSync(join(ROOT, ENTRY)) });
    return 0;
  } catch (error) {
    if (!(error instanceof BuildFailure)) throw error;
    statusOfFailure(error);
    return 1;
  }
};

/**
 * Runs vitest with `args` and prints the summary as the last line.
 *
 * @returns the exit status: 0 only if a test ran and none failed
 */
export const runTests = async (args) => {
  try {
    const unbuilt = await prepareForTests();
    const { status, counts } = await runVitest(args);
    const failed = counts.failed + unbuilt;
    if (status === 0 && counts.failed > 0) process.stderr.write("tidemark: no test ran\n");
    printSummary({ ...counts, failed });
    return failed > 0 ? status || 1 : 0;
  } catch (error) {
    const status = statusOfFailure(error);
    printSummary({ passed: 0, failed: 1 });
    return status;
  }
};
