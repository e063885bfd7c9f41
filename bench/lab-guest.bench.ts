import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { none } from "../src/designs/none.ts";
import { connectAgent } from "../src/lab/agent/connect-agent.ts";
import { Guest } from "../src/lab/agent/guest.ts";
import { GuestRam } from "../src/lab/guest-ram/guest-ram.ts";
import { RamFile } from "../src/lab/guest-ram/ram-file.ts";
import { QemuGuest } from "../src/lab/qemu/qemu-guest.ts";
import { COMMAND_LINE, LabSession } from "../src/lab/session/lab-session.ts";
import { findLabTools, type LabTools } from "../src/lab/session/lab-tools.ts";
import { MAILBOX, Mailbox } from "../src/lab/td/mailbox.ts";
import { MailboxLoop } from "../src/lab/td/mailbox-loop.ts";
import { loadScenario } from "../src/scenario/load.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import { GIB, MIB } from "../src/units.ts";
import { figure, heading, median } from "./stopwatch.ts";

const RUNS = 5;
const FILL_MIB = 1000;
const CALLS = 100_000;
const PAGE = 4096;

/** Asks as the stub in a guest does, from another thread, and waits for each answer. */
const ASKER = `
const { workerData, parentPort } = require("node:worker_threads");
const { openSync, readSync, writeSync } = require("node:fs");
const fd = openSync(workerData.path, "r+");
const words = new Uint8Array(${MAILBOX.args + 8 * 13});
words[${MAILBOX.rax}] = 1;
const asked = Uint8Array.of(1, 0, 0, 0);
const state = new Uint8Array(4);
for (let call = 0; call < workerData.calls; call++) {
  writeSync(fd, words, 4, words.length - 4, ${PAGE} + 4);
  writeSync(fd, asked, 0, 4, ${PAGE});
  do readSync(fd, state, 0, 4, ${PAGE}); while (state[0] !== 2);
}
parentPort.postMessage("done");
`;

const benchMailbox = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-bench-"));
  try {
    const path = join(folder, "ram");
    writeFileSync(path, "");
    truncateSync(path, 4 * PAGE);
    const ram = new GuestRam();
    ram.add({ start: 0, size: 4 * PAGE, file: new RamFile(path), offset: 0 });
    const rates: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const loop = new MailboxLoop(new Mailbox(ram, PAGE), () => {});
      void loop.start();
      const begun = performance.now();
      const worker = new Worker(ASKER, { eval: true, workerData: { path, calls: CALLS } });
      await new Promise((resolve) => worker.once("message", resolve));
      rates.push((CALLS * 1000) / (performance.now() - begun));
      await loop.stop();
    }
    ram.close();
    figure("TDCALLs through the mailbox, round trip", `${Math.round(median(rates))} /s`, "goal 20,000");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const scenarioOf = (memory: string) =>
  machineConfigOf(
    loadScenario(`{name: bench, title: bench, machine: {memory: ${memory}, vcpus: 1}, steps: [boot]}`, {
      file: "bench",
      designs: [none.name],
      readBytes: () => new Uint8Array(),
      overrides: [{ option: "design", assignment: "guest.design=none" }],
    }),
  );

type Kind = "plain" | "audit" | "exact";
interface Times {
  readonly boot: number;
  readonly fill: number;
}

const timeFill = async (guest: Guest): Promise<number> => {
  const begun = performance.now();
  await guest.fill("bench", FILL_MIB);
  return performance.now() - begun;
};

const runPlain = async ({ kernelFile, initrd }: LabTools): Promise<Times> => {
  const config = scenarioOf("4G");
  const begun = performance.now();
  const machine = {
    layout: config.layout,
    nodes: 1,
    vcpus: 1,
    virtioMem: [],
    dimms: [],
    kernel: kernelFile,
    append: COMMAND_LINE,
    asTd: false,
  };
  const qemu = await QemuGuest.start(machine, initrd);
  try {
    const { agent } = await connectAgent(qemu.files.agent, { patienceMs: 30_000 });
    await agent.ready();
    const boot = performance.now() - begun;
    return { boot, fill: await timeFill(new Guest(agent)) };
  } finally {
    await qemu.close();
  }
};

const runTd = async (tools: LabTools, enforcement: "audit" | "exact"): Promise<Times> => {
  const config = scenarioOf("4G");
  const begun = performance.now();
  const plan = { config, design: none, ...tools, append: "", enforcement, onViolation: "stop" } as const;
  const session = await LabSession.prepare(plan);
  try {
    await session.boot();
    const boot = performance.now() - begun;
    return { boot, fill: await timeFill(session.guest) };
  } finally {
    await session.close();
  }
};

const benchGuests = async (tools: LabTools): Promise<void> => {
  const times: { readonly [kind in Kind]: Times[] } = { plain: [], audit: [], exact: [] };
  for (let run = 0; run < RUNS; run++) {
    times.plain.push(await runPlain(tools));
    times.audit.push(await runTd(tools, "audit"));
    times.exact.push(await runTd(tools, "exact"));
  }
  const of = (kind: Kind, what: keyof Times): number => median(times[kind].map((each) => each[what]));
  for (const what of ["boot", "fill"] as const) {
    const base = of("plain", what);
    const name = what === "boot" ? "4 GiB guest up to its agent" : `${FILL_MIB} MiB of first-touch fill`;
    figure(`${name}, plain QEMU`, `${(base / 1000).toFixed(2)} s`);
    for (const kind of ["audit", "exact"] as const) {
      const time = of(kind, what);
      const goal = what === "fill" ? "1.20" : kind === "audit" ? "1.10" : "1.25";
      figure(
        `${name}, TD, ${kind}`,
        `${(time / 1000).toFixed(2)} s`,
        `${(time / base).toFixed(2)} times, goal ${goal}`,
      );
    }
  }
};

/** What the files of a large guest take on the host, once it has booted lazily. */
const benchSparse = async (tools: LabTools): Promise<void> => {
  const config = scenarioOf("64G");
  const plan = {
    config,
    design: none,
    ...tools,
    append: "",
    enforcement: "audit",
    onViolation: "stop",
  } as const;
  const session = await LabSession.prepare(plan);
  try {
    await session.boot();
    const files = new Set(session.qemu.ram.pieces.map(({ file }) => file.path));
    const bytes = [...files].reduce((sum, path) => sum + statSync(path).blocks * 512, 0);
    figure(
      "host memory of a 64 GiB guest, booted lazily",
      `${Math.round(bytes / MIB)} MiB`,
      `of ${(64 * GIB) / MIB}`,
    );
  } finally {
    await session.close();
  }
};

/** Milliseconds from one accept to the next while a kernel accepts all of its memory at once. */
const betweenAccepts = async (tools: LabTools, trap: "mailbox" | "breakpoints"): Promise<number> => {
  const config = scenarioOf("1G");
  const unaccepted = config.layout.ram.map(({ start, size }) => ({ start, size }));
  const plan = {
    config: { ...config, unaccepted },
    design: none,
    ...tools,
    append: "accept_memory=eager",
    enforcement: "audit",
    onViolation: "stop",
    trap,
  } as const;
  const session = await LabSession.prepare(plan);
  const times: number[] = [];
  const served = session.td.beforeCall;
  session.td.beforeCall = () => {
    times.push(performance.now());
    return served();
  };
  try {
    await session.boot();
    return median(times.slice(1).map((time, call) => time - times[call]!));
  } finally {
    await session.close();
  }
};

/** What a TDCALL costs by either way to serve it, the work of an accept of 2 MiB included in both. */
const benchTraps = async (tools: LabTools): Promise<void> => {
  for (const trap of ["mailbox", "breakpoints"] as const) {
    const costs: number[] = [];
    for (let run = 0; run < RUNS; run++) costs.push(await betweenAccepts(tools, trap));
    figure(`an accept in a row of accepts, --trap ${trap}`, `${median(costs).toFixed(2)} ms`);
  }
};

heading("linux world");
await benchMailbox();
const tools = await findLabTools({ line: "6.12" });
await benchTraps(tools);
await benchGuests(tools);
await benchSparse(tools);
process.exit(0);
