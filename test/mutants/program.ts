import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { BESIDE_PACKAGES } from "../../scripts/set-up/bundle.mjs";
import { type Attempt, type Mutant, mutated } from "./mutant.ts";
import type { Verdict } from "./verdict.ts";

/** Milliseconds after which a program counts as one that never ends: some mistakes make loops. */
const NEVER_ENDS = 600_000;

const mutation = (root: string, mutant: Mutant): Plugin => ({
  name: "mutant",
  setup: ({ onLoad }) => {
    const file = join(root, "src", mutant.file);
    onLoad({ filter: /\.ts$/ }, ({ path }) =>
      path === file ? { contents: mutated(readFileSync(path, "utf8"), mutant), loader: "ts" } : undefined,
    );
  },
});

/** Bundles the program with one mistake in it, or none. The sources stay as they are. @returns the bundle's path */
export const bundled = async (root: string, mutant?: Mutant): Promise<string> => {
  // One folder below the root, as the tests are that find scenarios from where they lie.
  const outfile = join(root, ".cache", `mutant-${process.pid}-${mutant?.name ?? "none"}.mjs`);
  await build({
    absWorkingDir: root,
    entryPoints: ["test/mutants/judge.ts"],
    outfile,
    ...BESIDE_PACKAGES,
    plugins: mutant === undefined ? [] : [mutation(root, mutant)],
  });
  return outfile;
};

const stopped = (by: string): Verdict => ({ found: true, by: `stops: ${by}`, steps: 0, states: 0 });

/** Runs a bundled program over attempts, up to the first that finds something. @returns a verdict an attempt */
export const judged = (file: string, attempts: readonly Attempt[]): Promise<readonly Verdict[]> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, JSON.stringify(attempts)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const texts = { out: "", err: "" };
    let late = false;
    child.stdout.on("data", (chunk) => {
      texts.out += String(chunk);
    });
    child.stderr.on("data", (chunk) => {
      texts.err += String(chunk);
    });
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, NEVER_ENDS);
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      const lines = texts.out.split("\n").filter((line) => line !== "");
      const verdicts = lines.map((line): Verdict => JSON.parse(line));
      if (status === 0) resolve(verdicts);
      else if (late) resolve([...verdicts, stopped("it never ends")]);
      else if (signal === null) resolve([...verdicts, stopped(firstError(texts.err))]);
      else reject(new Error(`${file} was ended by ${signal}`));
    });
  });

const firstError = (text: string): string =>
  text.split("\n").find((line) => line.includes("Error")) ?? "no reason";

export const thrownAway = (file: string): void => rmSync(file, { force: true });
