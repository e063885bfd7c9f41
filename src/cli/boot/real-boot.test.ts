import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WITH_PACKAGES } from "../../../scripts/set-up/bundle.mjs";
import { findBusybox } from "../../lab/kernel-package/host-programs.ts";
import { qemuInstalled } from "../../lab/testing/qemu-for-test.ts";
import { NEEDS_KERNEL, realKernels } from "../../lab/testing/real-kernel.ts";
import { bootSchema } from "./schema.ts";

// What only a process with a guest can show: that it boots, and that nothing of it stays.
const hasBusybox = (() => {
  try {
    return findBusybox().bytes.length > 0;
  } catch {
    return false;
  }
})();
const [kernel] = realKernels();
const canBoot = qemuInstalled && hasBusybox && kernel !== undefined;
const needs = `(needs QEMU and a static busybox; ${NEEDS_KERNEL.slice(1)}`;
/** Longer than it takes to find that a guest hangs. */
const TIMEOUT = 900_000;

const folder = mkdtempSync(join(tmpdir(), "tidemark-boot-"));
/** Where the program makes its work directory. */
const work = join(folder, "work");

beforeAll(async () => {
  mkdirSync(work);
  await build({
    entryPoints: [fileURLToPath(new URL("../testing/entry-for-test.ts", import.meta.url))],
    ...WITH_PACKAGES,
    splitting: true,
    outdir: folder,
    outExtension: { ".js": ".mjs" },
  });
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const start = (...args: string[]): { child: ChildProcess; ended: Promise<Ended> } => {
  const named = ["--kernel", kernel!.image, ...args];
  const child = spawn(process.execPath, [join(folder, "entry-for-test.mjs"), "boot", ...named], {
    env: { ...process.env, TMPDIR: work },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout!.on("data", (text: Buffer) => {
    said.out += text.toString();
  });
  child.stderr!.on("data", (text: Buffer) => {
    said.err += text.toString();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, ...said }));
  });
  return { child, ended };
};

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** Processes that have our work directory on their command line: QEMU. */
const machines = (): string[] =>
  readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && read(`/proc/${name}/cmdline`).includes(`${work}/`),
  );

const memoryFiles = (pid: number): string[] =>
  readdirSync("/dev/shm").filter((name) => read(join("/dev/shm", name, "owner")) === String(pid));

const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

const nothingStays = async (pid: number): Promise<void> => {
  while (machines().length > 0) await breathe();
  expect([readdirSync(work), memoryFiles(pid)]).toEqual([[], []]);
};

it.skipIf(!canBoot)(
  `a kernel boots as a TD, accepts memory by TDCALL, and breaks nothing ${canBoot ? "" : needs}`,
  async () => {
    const { child, ended } = start(
      "--memory",
      "1G",
      "--unaccepted",
      "all",
      "--exit-when-ready",
      "--json",
      "--map",
    );
    const { code, out, err } = await ended;
    expect(err).toContain("Linux version");
    const report = bootSchema.parse(JSON.parse(out));
    expect(report).toMatchObject({ verdict: "held", ready: true, end: "ready", violations: [] });
    expect(report.tdcalls["TDG.MEM.PAGE.ACCEPT"]).toBeGreaterThan(0);
    expect(report.map!.some((run) => run["accepted"] === true)).toBe(true);
    expect(code).toBe(0);
    await nothingStays(child.pid!);
  },
  TIMEOUT,
);

it.skipIf(!canBoot)(
  `a machine that QEMU cannot be is one line in QEMU's words, and status 3 ${canBoot ? "" : needs}`,
  async () => {
    const { child, ended } = start("--memory", "4000G");
    const { code, err } = await ended;
    expect([code, err]).toEqual([3, expect.stringMatching(/^QEMU cannot start: [^\n]+\n$/)]);
    await nothingStays(child.pid!);
  },
  TIMEOUT,
);

it.skipIf(!canBoot).each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)(
  `%s ends the guest with status %i, and nothing of it stays ${canBoot ? "" : needs}`,
  async (signal, status) => {
    const { child, ended } = start("--memory", "512M");
    while (machines().length === 0 && child.exitCode === null) await breathe();
    child.kill(signal);
    expect(await ended).toMatchObject({ code: status, err: "" });
    await nothingStays(child.pid!);
  },
  TIMEOUT,
);

it.skipIf(!canBoot)(
  `the guest ends when the reader of its console leaves ${canBoot ? "" : needs}`,
  async () => {
    const { child, ended } = start("--memory", "512M");
    child.stdout!.once("data", () => child.stdout!.destroy());
    expect(await ended).toMatchObject({ code: 0, err: "" });
    await nothingStays(child.pid!);
  },
  TIMEOUT,
);
