import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
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

/** A guest that is no TD and has a swiotlb as large as that of a TD of 4 GiB: it clears it, and shares nothing. */
const BOUNCING = "swiotlb=131072,force";
const KINDS = ["plain", "bouncing", "audit", "exact", "unaided"] as const;
type Kind = (typeof KINDS)[number];

/** What it took on a clock, and of processor time in QEMU and here. Milliseconds. */
interface Cost {
  readonly clock: number;
  readonly processor: number;
}
type Costs = { readonly [what in "boot" | "fill"]: Cost };

const TICK_MS = 10;

/** Processor time of a process so far. */
const processorOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
};

/** Costs from now on. `pid` is asked when they are read, for a QEMU that starts meanwhile. */
const costsFromNow = (pid: () => number, had = 0): (() => Cost) => {
  const begun = performance.now();
  const own = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(own);
    return {
      clock: performance.now() - begun,
      processor: (user + system) / 1000 + processorOf(pid()) - had,
    };
  };
};

const fillIn = async (guest: Guest, pid: number): Promise<Cost> => {
  const cost = costsFromNow(() => pid, processorOf(pid));
  await guest.fill("bench", FILL_MIB);
  return cost();
};

const runPlain = async ({ kernelFile, initrd }: LabTools, append: string): Promise<Costs> => {
  const config = scenarioOf("4G");
  const machine = {
    layout: config.layout,
    nodes: 1,
    vcpus: 1,
    virtioMem: [],
    dimms: [],
    kernel: kernelFile,
    append: `${COMMAND_LINE} ${append}`,
    asTd: false,
  };
  const cost = costsFromNow(() => qemu.qemu.pid);
  const qemu = await QemuGuest.start(machine, initrd);
  try {
    const { agent } = await connectAgent(qemu.files.agent, { patienceMs: 30_000 });
    await agent.ready();
    const boot = cost();
    return { boot, fill: await fillIn(new Guest(agent), qemu.qemu.pid) };
  } finally {
    await qemu.close();
  }
};

/** A TD whose kernel is unpacked by its own decompressor, as that of the plain guest is. */
const runUnaided = ({ kernel, ...tools }: LabTools): Promise<Costs> =>
  runTd({ ...tools, kernel: { ...kernel, unpacking: undefined } }, "audit");

const runTd = async (tools: LabTools, enforcement: "audit" | "exact"): Promise<Costs> => {
  const config = scenarioOf("4G");
  const plan = { config, design: none, ...tools, append: "", enforcement, onViolation: "stop" } as const;
  const cost = costsFromNow(() => session.qemu.qemu.pid);
  const session = await LabSession.prepare(plan);
  try {
    await session.boot();
    const boot = cost();
    return { boot, fill: await fillIn(session.guest, session.qemu.qemu.pid) };
  } finally {
    await session.close();
  }
};

const runKind = (kind: Kind, tools: LabTools): Promise<Costs> => {
  if (kind === "audit" || kind === "exact") return runTd(tools, kind);
  if (kind === "unaided") return runUnaided(tools);
  return runPlain(tools, kind === "plain" ? "" : BOUNCING);
};

const TOLD = {
  plain: "plain QEMU",
  bouncing: "plain QEMU with a TD's swiotlb",
  audit: "TD, audit",
  exact: "TD, exact",
  unaided: "TD, audit, unpacks itself",
} as const;
const GOALS = { boot: { audit: "1.10", exact: "1.25" }, fill: { audit: "1.20", exact: "1.20" } } as const;

/** Runs of each kind in turns; ratios are those of a round, so that they stand on a machine that others use. */
const benchGuests = async (tools: LabTools): Promise<void> => {
  const rounds: { readonly [kind in Kind]: Costs }[] = [];
  for (let run = 0; run < RUNS; run++) {
    const costs: Partial<Record<Kind, Costs>> = {};
    for (const kind of KINDS) costs[kind] = await runKind(kind, tools);
    const { plain, bouncing, audit, exact, unaided } = costs;
    rounds.push({
      plain: plain!,
      bouncing: bouncing!,
      audit: audit!,
      exact: exact!,
      unaided: unaided!,
    });
  }
  const over = (read: (round: (typeof rounds)[number]) => number): number => median(rounds.map(read));
  for (const what of ["boot", "fill"] as const) {
    const name = what === "boot" ? "4 GiB guest up to its agent" : `${FILL_MIB} MiB of first-touch fill`;
    for (const kind of KINDS) {
      const [clock, processor] = (["clock", "processor"] as const).map((by) => ({
        seconds: (over((round) => round[kind][what][by]) / 1000).toFixed(2),
        plain: over((round) => round[kind][what][by] / round.plain[what][by]).toFixed(2),
        bouncing: over((round) => round[kind][what][by] / round.bouncing[what][by]).toFixed(2),
      }));
      const isTd = kind !== "plain" && kind !== "bouncing";
      const held = kind === "audit" || kind === "exact" ? `, goal ${GOALS[what][kind]}` : "";
      const goal = isTd ? `${clock!.plain} times${held}; ${clock!.bouncing} times swiotlb; ` : "";
      const used = isTd ? `, ${processor!.plain} and ${processor!.bouncing} times` : "";
      figure(
        `${name}, ${TOLD[kind]}`,
        `${clock!.seconds} s`,
        `${goal}processor ${processor!.seconds} s${used}`,
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
