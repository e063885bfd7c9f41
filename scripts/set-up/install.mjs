import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CACHE } from "./checkout.mjs";
import { SetUpFailure } from "./failure.mjs";
import { runChild } from "./signals.mjs";

/** Stands while npm works, so that an install that was cut off is not taken for a whole one. */
const UNFINISHED = join(CACHE, "install-unfinished");
const LOG = join(CACHE, "npm-ci.log");
const HIDDEN_LOCK = join("node_modules", ".package-lock.json");

/** An npm list such as ["linux", "darwin"] or ["!win32"] against this machine's name. */
const admits = (list, name) =>
  list === undefined ||
  list.includes(name) ||
  (list.every((x) => x.startsWith("!")) && !list.includes(`!${name}`));

/** This machine as package-lock.json describes one. The C library is looked up when asked for: it takes 6 ms. */
export const thisMachine = {
  os: process.platform,
  cpu: process.arch,
  get libc() {
    process.report.excludeNetwork = true;
    return process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
  },
};

/** Packages made for one kind of machine have to be there on that kind. Other optional ones may be missing. */
const required = (entry, machine) => {
  if (!entry.optional) return true;
  if (entry.os === undefined || entry.cpu === undefined) return false;
  if (!admits(entry.os, machine.os) || !admits(entry.cpu, machine.cpu)) return false;
  return entry.libc === undefined || admits(entry.libc, machine.libc);
};

/**
 * Compares what package-lock.json wants with what npm recorded in node_modules.
 *
 * @param wanted contents of package-lock.json, parsed
 * @param present contents of node_modules/.package-lock.json, parsed
 * @param machine os, cpu and libc, in npm's words
 * @returns why they differ, as a phrase, or undefined if everything wanted is there; more may be there
 */
export const difference = (wanted, present, machine) => {
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (path === "" || entry.link) continue;
    const found = present.packages?.[path];
    if (found === undefined && required(entry, machine)) return `${path} is not installed`;
    if (found === undefined) continue;
    if (found.version !== entry.version) return `${path} is ${found.version}, not ${entry.version}`;
    if (found.integrity && entry.integrity && found.integrity !== entry.integrity) {
      return `${path} has other contents`;
    }
  }
  return undefined;
};

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs;

const parsed = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Why node_modules cannot be used as it is, as a phrase; undefined if it can. */
export const staleness = (root, machine = thisMachine) => {
  const hidden = join(root, HIDDEN_LOCK);
  const installed = modified(hidden);
  if (installed === undefined) return "node_modules is missing or not made by npm";
  const begun = modified(join(root, UNFINISHED));
  if (begun !== undefined && installed <= begun) return "an earlier install was cut off";
  let present;
  try {
    present = parsed(hidden);
  } catch {
    return "node_modules/.package-lock.json is damaged";
  }
  const gone = Object.keys(present.packages ?? {}).find(
    (path) => !existsSync(join(root, path, "package.json")),
  );
  if (gone !== undefined) return `${gone} was removed`;
  return difference(parsed(join(root, "package-lock.json")), present, machine);
};

/** The npm that belongs to this Node: the one that runs us, the one next to it, or the one on the PATH. */
const npmCommand = () => {
  const beside = join(dirname(process.execPath), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js");
  for (const script of [process.env.npm_execpath, beside]) {
    if (script && /npm-cli\.c?js$/.test(script) && existsSync(script)) return [process.execPath, script];
  }
  return process.platform === "win32" ? ["cmd.exe", "/d", "/c", "npm"] : ["npm"];
};

/**
 * The options undo what the environment may say: production leaves out the tools we build with, and npm hands
 * its own --dry-run or --global on to what it runs.
 */
const ARGUMENTS = [
  "ci",
  "--ignore-scripts",
  "--include=dev",
  "--include=optional",
  "--global=false",
  "--dry-run=false",
  "--prefer-offline",
  "--no-audit",
  "--no-fund",
  "--no-progress",
];

/** The one line of npm's output that says what went wrong. */
export const npmReason = (output) => {
  const lines = [...output.matchAll(/^npm (?:error|ERR!) (.*)$/gm)].map((match) => match[1].trim());
  const told = lines.filter((line) => line !== "" && !/^(code|errno|syscall|A complete log)\b/.test(line));
  const code = lines.find((line) => line.startsWith("code "))?.slice(5);
  return [code, told[0]].filter(Boolean).join(": ") || output.trim().split("\n").at(-1) || "it said nothing";
};

/**
 * Makes node_modules from package-lock.json. The caller holds the lock.
 *
 * @param started gets the process id of npm
 * @throws SetUpFailure if npm is missing or fails
 */
export const install = async (root, started) => {
  const unfinished = join(root, UNFINISHED);
  mkdirSync(join(root, CACHE), { recursive: true });
  writeFileSync(unfinished, "");
  const [file, ...before] = npmCommand();
  const { status, error, output } = await runChild(file, [...before, ...ARGUMENTS], {
    cwd: root,
    output: "pipe",
    started,
    // npm first undoes what it did, for seconds. There is no need: the next run starts afresh anyway.
    patience: 500,
  });
  writeFileSync(join(root, LOG), output);
  if (error !== undefined)
    throw new SetUpFailure(`cannot start npm (${error.code}): install npm, it comes with Node`);
  if (status !== 0) {
    throw new SetUpFailure(`npm ci failed with status ${status}: ${npmReason(output)} (all it said: ${LOG})`);
  }
  rmSync(unfinished, { force: true });
};
