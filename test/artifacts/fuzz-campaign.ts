import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker, workerData } from "node:worker_threads";
import { faultOf, inputOf } from "./fuzz-input.ts";
import { RMP_ENTRIES, samples } from "./fuzz-samples.ts";

/** What a campaign remembers between two calls. */
interface State {
  /** Of the samples: other samples make other inputs of the same seeds. */
  readonly samples: string;
  next: number;
  failures: { seed: number; why: string }[];
}

/** What the worker is told, and the words that it shares: [0] the seed at work. */
interface Job {
  readonly first: number;
  readonly end: number;
  readonly folder: string;
  readonly shared: SharedArrayBuffer;
}

/** Seconds after which an input counts as one that never ends. */
const HANG_S = 60;
const TELL_S = 10;
const MOST_FAILURES = 20;

const keep = (folder: string, seed: number, input: Uint8Array): void =>
  writeFileSync(join(folder, `${seed}.bin`), input);

/** Runs seeds until one shows a fault; messages are faults. */
const work = async ({ first, end, folder, shared }: Job): Promise<void> => {
  const { parentPort } = await import("node:worker_threads");
  const at = new Int32Array(shared);
  const collection = samples();
  // Most inputs make errors, and nobody reads where those come from.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  for (let seed = first; seed < end; seed++) {
    at[0] = seed;
    const input = inputOf(collection, seed);
    if (faultOf(input, seed) === undefined) continue;
    Error.stackTraceLimit = stackTraceLimit;
    const why = faultOf(input, seed) ?? "a fault once, none when run again";
    Error.stackTraceLimit = 0;
    keep(folder, seed, input);
    parentPort?.postMessage({ seed, why });
  }
  at[0] = end;
};

/** One worker from `state.next` on. @returns when it is done, or hangs, or there are too many faults */
const runWorker = (state: State, end: number, folder: string, save: () => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const shared = new SharedArrayBuffer(4);
    const at = new Int32Array(shared);
    const first = state.next;
    at[0] = first;
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { first, end, folder, shared } satisfies Job,
    });
    const started = performance.now();
    let [last, since, told] = [first, started, started];
    const stop = (next: number): void => {
      clearInterval(timer);
      state.next = next;
      save();
      void worker.terminate().then(() => resolve());
    };
    const timer = setInterval(() => {
      const now = performance.now();
      const seed = at[0]!;
      if (seed !== last) [last, since] = [seed, now];
      else if (now - since > HANG_S * 1000) {
        keep(folder, seed, inputOf(samples(), seed));
        state.failures.push({ seed, why: `no end in ${HANG_S} s` });
        return stop(seed + 1);
      }
      state.next = seed;
      if (now - told < TELL_S * 1000) return;
      told = now;
      save();
      const rate = Math.round((seed - first) / ((now - started) / 1000));
      process.stdout.write(
        `${seed - 1} of ${end - 1} inputs, ${rate} a second, ${state.failures.length} failures\n`,
      );
    }, 500);
    worker.on("message", (failure: { seed: number; why: string }) => {
      state.failures.push(failure);
      process.stdout.write(`seed ${failure.seed}: ${firstLine(failure.why)}\n`);
      if (state.failures.length >= MOST_FAILURES) stop(failure.seed + 1);
    });
    worker.on("error", reject);
    worker.on("exit", () => {
      if (at[0] === end) stop(end);
    });
    process.once("SIGINT", () => {
      stop(at[0]!);
    });
  });

const firstLine = (text: string): string => text.split("\n", 1)[0]!;

const fingerprint = (): string => {
  const hash = createHash("sha256");
  for (const sample of [...samples(), RMP_ENTRIES]) hash.update(sample);
  return hash.digest("hex").slice(0, 16);
};

/** `npm run fuzz [-- INPUTS]`: goes on where it stopped. @returns exit status */
const campaign = async (folder: string, wanted: string | undefined): Promise<number> => {
  const runs = Number(wanted ?? 10_000_000);
  if (!Number.isSafeInteger(runs) || runs < 1 || runs >= 2 ** 31) {
    process.stderr.write(`tidemark: npm run fuzz -- ${wanted}: expected a number of inputs below 2^31\n`);
    return 2;
  }
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "state.json");
  const fresh: State = { samples: fingerprint(), next: 1, failures: [] };
  const kept: State = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : fresh;
  const state = kept.samples === fresh.samples ? kept : fresh;
  const save = (): void => writeFileSync(file, `${JSON.stringify(state, null, 2)}\n`);
  const end = runs + 1;
  let interrupted = false;
  process.once("SIGINT", () => {
    interrupted = true;
  });
  while (state.next < end && !interrupted && state.failures.length < MOST_FAILURES)
    await runWorker(state, end, folder, save);
  const { failures, next } = state;
  process.stdout.write(
    `${Math.min(next, end) - 1} inputs, ${failures.length} failures; their inputs and seeds are in ${folder}\n`,
  );
  return failures.length > 0 ? 1 : 0;
};

if (workerData !== null) await work(workerData as Job);
else process.exitCode = await campaign(process.argv[2]!, process.argv[3]);
