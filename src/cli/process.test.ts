import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WITH_PACKAGES } from "../../scripts/set-up/bundle.mjs";

// What only a process can show: pipes that close, signals, files on a disk. The world is the stand-in.
const folder = mkdtempSync(join(tmpdir(), "tidemark-cli-"));
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  await build({
    entryPoints: ["entry-with-fake-world", "entry-telling-signals"].map((name) =>
      fileURLToPath(new URL(`./testing/${name}.ts`, import.meta.url)),
    ),
    ...WITH_PACKAGES,
    splitting: true,
    outdir: folder,
    outExtension: { ".js": ".mjs" },
  });
  const steps = Array.from({ length: 300 }, (_, i) => `  - note: note ${i}`).join("\n");
  writeFileSync(at("long.yaml"), `name: long\nmachine: {memory: 4G}\nsteps:\n  - boot\n${steps}\n`);
  writeFileSync(
    at("wait.yaml"),
    "name: wait\nmachine: {memory: 4G}\nsteps: [boot, {allocate: {name: slow, size: 6G}}]\n",
  );
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const start = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [at("entry-with-fake-world.mjs"), ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });

const ended = (child: ChildProcess): Promise<{ code: number | null; stderr: string }> =>
  new Promise((done) => {
    let stderr = "";
    child.stderr!.on("data", (text: Buffer) => {
      stderr += text.toString();
    });
    child.on("close", (code) => {
      done({ code, stderr });
    });
  });

it("says nothing when the reader of its pipe leaves, and keeps its exit status", async () => {
  const child = start("run", "long.yaml", "--json");
  child.stdout!.destroy();
  expect(await ended(child)).toEqual({ code: 0, stderr: "" });
});

it.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("%s ends a world that waits, with status %i", async (signal, status) => {
  const child = start("run", "wait.yaml", "--trace", "trace.jsonl");
  const end = ended(child);
  await new Promise<void>((heard) => {
    child.stderr!.on("data", (text: Buffer) => {
      if (text.toString().includes("breathing")) heard();
    });
  });
  child.kill(signal);
  expect((await end).code).toBe(status);
});

it("a check that is stopped tells what is known, and leaves nothing", { timeout: 600_000 }, async () => {
  const files = readdirSync(folder);
  const args = ["check", "tide", "--config", "three-vcpus,dimm", "--max-states", "100000000"];
  const child = spawn(process.execPath, [at("entry-telling-signals.mjs"), ...args, "--save", "story.json"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = ended(child);
  let stdout = "";
  child.stdout.on("data", (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.once("data", () => child.kill("SIGINT"));
  expect(await end).toEqual({ code: 130, stderr: "listening\n" });
  expect(stdout).toMatch(
    /^reductions: .*\nconfiguration.*\n(three-vcpus +\d[\d ]* +\d+ +[\d.]+ s +held so far, stopped by you\nnot searched: dimm|not searched: three-vcpus, dimm)\nto be able to go on.*\n$/,
  );
  expect(readdirSync(folder)).toEqual(files);
});

it("writes trace and page to disk, whole", async () => {
  const child = start("run", "long.yaml", "--trace", "t.jsonl", "--html", "p.html");
  child.stdout!.resume();
  expect(await ended(child)).toEqual({ code: 0, stderr: "" });
  const lines = readFileSync(at("t.jsonl"), "utf8").trimEnd().split("\n");
  expect(lines.every((line) => JSON.parse(line) !== null)).toBe(true);
  expect(readFileSync(at("p.html"), "utf8").trimEnd().endsWith("</html>")).toBe(true);
});

it.skipIf(!existsSync("/dev/full")).each([[["--trace", "/dev/full"]], [["--html", "/dev/full"]]])(
  "%s says on one line that there is no space, and leaves the device (skipped without /dev/full)",
  async (options) => {
    const child = start("run", "long.yaml", ...options);
    child.stdout!.resume();
    const { code, stderr } = await ended(child);
    expect([code, stderr.split("\n").length, stderr.includes("no space")]).toEqual([2, 2, true]);
    expect(statSync("/dev/full").isCharacterDevice()).toBe(true);
  },
);

it("writes a page through a link to where the link leads", async () => {
  writeFileSync(at("real.html"), "old");
  symlinkSync(at("real.html"), at("link.html"));
  const child = start("run", "long.yaml", "--html", "link.html");
  child.stdout!.resume();
  expect(await ended(child)).toEqual({ code: 0, stderr: "" });
  expect(lstatSync(at("link.html")).isSymbolicLink()).toBe(true);
  expect(readFileSync(at("real.html"), "utf8")).toContain("</html>");
});

it("reports a file that cannot be written on one line", async () => {
  const child = start("run", "long.yaml", "--html", join(folder, "no", "such", "folder.html"));
  child.stdout!.resume();
  const { code, stderr } = await ended(child);
  expect([code, stderr.split("\n").length, stderr.includes("is not there")]).toEqual([2, 2, true]);
});
