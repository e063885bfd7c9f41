import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { nodeTooOld, OLDEST_NODE } from "../../bin/node-version.mjs";
import { countTests, summaryLine } from "../../scripts/run-tests.mjs";
import { buildDist } from "../../scripts/set-up/dist.mjs";
import { distIsFresh } from "../../scripts/set-up/fresh.mjs";
import { difference, type LockEntry, npmReason, staleness } from "../../scripts/set-up/install.mjs";
import { withLock } from "../../scripts/set-up/lock.mjs";
import { ROOT } from "./repository.ts";

const scratch = mkdtempSync(join(tmpdir(), "tidemark-set-up-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const folder = (): string => mkdtempSync(join(scratch, "case-"));

const write = (root: string, path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

const machine = { os: "linux", cpu: "x64", libc: "glibc" };

it("the oldest Node is the one package.json names, and an older one is told so in a line", () => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(engines.node).toBe(`>=${OLDEST_NODE.join(".")}`);
  for (const version of ["20.19.0", "20.20.2", "22.0.0", "100.1.2"])
    expect(nodeTooOld(version)).toBeUndefined();
  for (const version of ["4.0.0", "18.20.4", "20.9.0", "20.18.3"]) {
    expect(nodeTooOld(version)).toMatch(/^tidemark: needs Node 20\.19 or newer, this is [^\n]*$/);
  }
});

const entry = { version: "1.0.0", integrity: "sha512-a" };
const difference1 = (wanted: LockEntry, present: Record<string, LockEntry>) =>
  difference({ packages: { "": {}, "node_modules/a": wanted } }, { packages: present }, machine);

it("packages are what the lock says: version, contents, and those made for this machine", () => {
  const a = "node_modules/a";
  expect(difference1(entry, { [a]: entry })).toBeUndefined();
  expect(difference1(entry, { [a]: entry, "node_modules/more": entry })).toBeUndefined();
  expect(difference1(entry, {})).toBe("node_modules/a is not installed");
  expect(difference1(entry, { [a]: { ...entry, version: "1.0.1" } })).toBe(
    "node_modules/a is 1.0.1, not 1.0.0",
  );
  expect(difference1(entry, { [a]: { ...entry, integrity: "sha512-b" } })).toBe(
    "node_modules/a has other contents",
  );
  expect(difference1({ ...entry, link: true }, {})).toBeUndefined();
});

it.each([
  [true, { os: ["linux"], cpu: ["x64"] }],
  [true, { os: ["linux"], cpu: ["x64"], libc: ["glibc"] }],
  [true, { os: ["!win32"], cpu: ["x64"] }],
  [false, { os: ["linux"], cpu: ["x64"], libc: ["musl"] }],
  [false, { os: ["darwin"], cpu: ["x64"] }],
  [false, { os: ["!linux"], cpu: ["x64"] }],
  [false, { os: ["linux"], cpu: ["arm64"] }],
  [false, { cpu: ["wasm32"] }],
  [false, {}],
])("an optional package is missed: %s, if it is for %o", (missed, made) => {
  expect(difference1({ ...entry, optional: true, ...made }, {}) !== undefined).toBe(missed);
});

/** A folder as a whole install leaves it. */
const installed = (): string => {
  const root = folder();
  const packages = { "node_modules/a": entry };
  write(root, "package-lock.json", JSON.stringify({ packages: { "": {}, ...packages } }));
  write(root, "node_modules/a/package.json", "{}");
  write(root, "node_modules/.package-lock.json", JSON.stringify({ packages }));
  return root;
};

it("node_modules that npm left whole is used as it is", () => {
  expect(staleness(installed(), machine)).toBeUndefined();
});

it("node_modules that is missing, damaged, thinned out or half made is not used", () => {
  expect(staleness(folder(), machine)).toMatch(/missing/);
  const damaged = installed();
  write(damaged, "node_modules/.package-lock.json", '{"packages": {');
  expect(staleness(damaged, machine)).toMatch(/damaged/);
  const thinned = installed();
  rmSync(join(thinned, "node_modules/a"), { recursive: true });
  expect(staleness(thinned, machine)).toBe("node_modules/a was removed");
  const cut = installed();
  write(cut, ".cache/install-unfinished", "");
  const later = new Date(Date.now() + 5000);
  utimesSync(join(cut, ".cache/install-unfinished"), later, later);
  expect(staleness(cut, machine)).toMatch(/cut off/);
});

it("npm's failure is told in its own words, in one line", () => {
  const output =
    "npm warn old\nnpm error code ENOTFOUND\nnpm error syscall getaddrinfo\nnpm error network request failed\n";
  expect(npmReason(output)).toBe("ENOTFOUND: network request failed");
  expect(npmReason("npm ERR! code E404\nnpm ERR! 404 Not Found\n")).toBe("E404: 404 Not Found");
  expect(npmReason("killed\n")).toBe("killed");
  expect(npmReason("")).toBe("it said nothing");
});

/** Runs `count` works at once under one lock. @returns the most that were inside at the same time */
const crowd = async (where: string, count: number): Promise<number> => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inside--;
  };
  await Promise.all(Array.from({ length: count }, () => withLock(where, () => {}, work)));
  return most;
};

it("one at a time has the lock, and nothing is left of it", async () => {
  const where = folder();
  expect(await crowd(where, 6)).toBe(1);
  expect(readdirSync(where)).toEqual([]);
});

it("a lock whose owner died is taken over, by one of many", async () => {
  const where = folder();
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const owner = { token: "dead", host: hostname(), pids: [dead] };
  write(where, "set-up.lock/owner.json", JSON.stringify(owner));
  expect(await crowd(where, 6)).toBe(1);
  expect(readdirSync(where)).toEqual(["set-up.lock-dead"]);
  // Sooner than a lock is taken from an owner that cannot be asked.
}, 20_000);

it("the lock is free after its work failed", async () => {
  const where = folder();
  const failing = withLock(
    where,
    () => {},
    () => Promise.reject(new Error("no")),
  );
  await expect(failing).rejects.toThrow("no");
  expect(readdirSync(where)).toEqual([]);
});

/** A checkout with a program of one part that is loaded at once and one that is loaded on demand. */
const checkout = (): string => {
  const root = folder();
  cpSync(join(ROOT, "bin"), join(root, "bin"), { recursive: true });
  write(root, "package.json", '{"type":"module"}');
  write(root, "src/cli/entry.ts", 'import("./later.ts").then(({ a }) => process.stdout.write(a));\n');
  write(root, "src/cli/later.ts", 'export const a: string = "first";\n');
  return root;
};

const runDist = (root: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): string => {
  const { NODE_OPTIONS: _, ...outside } = process.env;
  const { stdout, stderr } = spawnSync(process.execPath, [join(root, "dist/tidemark.mjs"), ...args], {
    encoding: "utf8",
    env: { ...outside, ...env },
  });
  expect(stderr).toBe("");
  return stdout.trim();
};

it("dist/ is fresh until a source it was made from changes in contents, or a part of it is gone", async () => {
  const root = checkout();
  expect(distIsFresh(root)).toBe(false);
  const past = new Date(Date.now() - 60_000);
  for (const path of ["package.json", "src/cli/entry.ts", "src/cli/later.ts"])
    utimesSync(join(root, path), past, past);
  await buildDist(root);
  expect(distIsFresh(root)).toBe(true);
  expect(runDist(root)).toBe("first");
  utimesSync(join(root, "src/cli/later.ts"), new Date(), new Date());
  expect(distIsFresh(root)).toBe(true);
  write(root, "src/cli/later.ts", 'export const a: string = "other";\n');
  expect(distIsFresh(root)).toBe(false);
  await buildDist(root);
  expect(runDist(root)).toBe("other");
});

const distOf = (root: string): string[] => readdirSync(join(root, "dist")).sort();

it("a part that is gone makes dist/ stale, and old parts go when a package is made", async () => {
  const root = checkout();
  await buildDist(root);
  const parts = distOf(root);
  expect(parts.map((name) => name.replace(/-[0-9A-Z]{8}/, ""))).toEqual([
    "later.cjs",
    "program.cjs",
    "tidemark.mjs",
  ]);
  rmSync(join(root, "dist", parts[0]!));
  expect(distIsFresh(root)).toBe(false);
  write(root, "dist/later-OLD.cjs", "");
  await buildDist(root);
  expect(distOf(root)).toContain("later-OLD.cjs");
  await buildDist(root, { clean: true });
  expect(distOf(root)).toEqual(parts);
});

const codeOf = (root: string): string[] => distOf(root).filter((name) => name.endsWith(".code"));

const headingsOf = (root: string): string[] =>
  codeOf(root).map((name) =>
    readFileSync(join(root, "dist", name))
      .toString("latin1", 0, 512)
      .trim(),
  );

it("keeps the compiled code of each part, for each command once, until dist/ is built anew", async () => {
  const root = checkout();
  await buildDist(root);
  expect(runDist(root, ["run"])).toBe("first");
  expect(headingsOf(root)).toEqual(["run", "run"]);
  expect(runDist(root, ["compare"])).toBe("first");
  expect(runDist(root, ["run"])).toBe("first");
  expect(runDist(root, ["--help"])).toBe("first");
  expect(headingsOf(root)).toEqual(["run compare -", "run compare -"]);
  write(root, "src/cli/later.ts", 'export const a: string = "other";\n');
  await buildDist(root);
  expect(codeOf(root)).toEqual([]);
  expect(runDist(root)).toBe("other");
});

it("compiles anew what is damaged, and keeps nothing where nothing can be kept or should be", async () => {
  const root = checkout();
  await buildDist(root);
  expect(runDist(root, [], { NODE_DISABLE_COMPILE_CACHE: "1" })).toBe("first");
  expect(runDist(root, [], { NODE_OPTIONS: "--max-old-space-size=1024" })).toBe("first");
  expect(codeOf(root)).toEqual([]);
  runDist(root);
  for (const name of codeOf(root)) {
    const bytes = readFileSync(join(root, "dist", name));
    writeFileSync(join(root, "dist", name), bytes.subarray(0, bytes.length - 100));
  }
  expect(runDist(root)).toBe("first");
  for (const name of codeOf(root)) writeFileSync(join(root, "dist", name), "x");
  expect(runDist(root)).toBe("first");
  expect(headingsOf(root)).toEqual(["-", "-"]);
});

it("sources that do not bundle leave dist/ as it was, and are named with line and column", async () => {
  const root = checkout();
  await buildDist(root);
  write(root, "src/cli/later.ts", "export const a = ;\n");
  await expect(buildDist(root)).rejects.toThrow(/^src\/cli\/later\.ts:1:18: /);
  expect(runDist(root)).toBe("first");
});

const runBin = (root: string, args: string[] = []) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "bin/tidemark.mjs"), ...args], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

it("an installed package runs its dist/ with neither sources nor scripts", () => {
  const root = folder();
  cpSync(join(ROOT, "bin"), join(root, "bin"), { recursive: true });
  const missing = "tidemark: dist/tidemark.mjs is missing from this package; install it again\n";
  expect(runBin(root)).toEqual({ status: 3, stdout: "", stderr: missing });
  write(
    root,
    "dist/tidemark.mjs",
    'export const runProcess = () => { process.stdout.write(process.argv.slice(2).join("|")); process.exitCode = 2; };',
  );
  expect(runBin(root, ["run", "a b"])).toEqual({ status: 2, stdout: "run|a b", stderr: "" });
  expect(existsSync(join(root, ".cache"))).toBe(false);
});

const report = (passed: number, failed: number, skipped: number, files: string[] = []) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: skipped,
  numTodoTests: 0,
  testResults: files.map((status) => ({ status, assertionResults: [] })),
});

it.each([
  ["3 passed, 0 failed", report(3, 0, 0), 0],
  ["3 passed, 0 failed, 2 skipped", report(3, 0, 2), 0],
  ["3 passed, 1 failed", report(3, 1, 0), 1],
  ["3 passed, 2 failed", report(3, 1, 0, ["passed", "failed"]), 1],
  ["3 passed, 1 failed", report(3, 0, 0), 1],
  ["0 passed, 1 failed", report(0, 0, 0), 0],
  ["0 passed, 1 failed, 5 skipped", report(0, 0, 5), 0],
  ["0 passed, 1 failed", undefined, 1],
  ["0 passed, 1 failed", undefined, 0],
])("the last line is %s", (line, given, status) => {
  expect(summaryLine(countTests(given, status))).toBe(line);
});
