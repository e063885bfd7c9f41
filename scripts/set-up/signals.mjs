import { spawn } from "node:child_process";

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"];

/** How long a child that got Ctrl-C from the terminal may take before it gets ours, and the harder ones. */
const ESCALATION = [
  [1000, "SIGINT"],
  [6000, "SIGTERM"],
  [8000, "SIGKILL"],
];

/** The user or the system wants us gone. Thrown so that locks are released on the way out. */
export class Interrupted extends Error {
  name = "Interrupted";
  constructor(signal) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}

let received;
let receivedAt = 0;
const children = new Set();

const signalAll = (signal) => {
  for (const child of children) child.kill(signal);
};

/**
 * A terminal sends Ctrl-C to the whole group and npm passes it on once more, so the first one reaches the
 * child without our help, and a copy at once would look like the user's impatient second one. Hence the wait.
 */
const passOn = (signal) => {
  const now = performance.now();
  if (signal === "SIGINT" && received === undefined) {
    for (const [after, next] of ESCALATION) setTimeout(signalAll, after, next).unref();
  } else if (signal !== "SIGINT" || now - receivedAt > 500) {
    signalAll(signal);
    setTimeout(signalAll, 5000, "SIGKILL").unref();
  }
  if (received === undefined) receivedAt = now;
  received ??= signal;
};

/** Ends this process the way `signal` would have, so that shells see 130 after Ctrl-C and stop their loops. */
export const endBy = (signal) => {
  for (const each of ENDING) process.off(each, passOn);
  process.kill(process.pid, signal);
};

/** Throws if a signal to end arrived. Long loops of ours ask between two steps. */
export const throwIfInterrupted = () => {
  if (received !== undefined) throw new Interrupted(received);
};

/** Does `work` with signals held back until it has cleaned up; its children get them at once. */
export const withSignalsHeld = async (work) => {
  const nested = process.listeners("SIGINT").includes(passOn);
  if (nested) return work();
  for (const each of ENDING) process.on(each, passOn);
  try {
    return await work();
  } finally {
    // A child that died of the terminal's Ctrl-C may fail our work before the signal itself is delivered.
    await new Promise((resolve) => setImmediate(resolve));
    for (const each of ENDING) process.off(each, passOn);
    // What came of the work no longer matters.
    throwIfInterrupted();
  }
};

/**
 * Runs a program to its end, with the signals we get.
 *
 * @returns its exit status, what it wrote if `options.stdio` has pipes, and the error if it could not start
 * @throws Interrupted if we were told to end meanwhile; the child is gone by then
 */
export const runChild = async (file, args, options) => {
  const child = spawn(file, args, options);
  children.add(child);
  options.started?.(child.pid);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
    });
  }
  const end = await new Promise((resolve) => {
    child.on("error", (error) => resolve({ status: 127, signal: null, error }));
    child.on("close", (status, signal) => resolve({ status: status ?? 1, signal, error: undefined }));
  });
  children.delete(child);
  throwIfInterrupted();
  return { ...end, output };
};
