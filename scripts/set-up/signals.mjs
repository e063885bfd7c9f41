import { spawn } from "node:child_process";

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"];

/** How long a child may take to end after a signal, in milliseconds, before it is killed. */
const PATIENCE = 5000;
/** Ctrl-C under npm comes twice, from the terminal and from npm. Vitest would take that for impatience. */
const SAME_KEY_PRESS = 500;

/** The user or the system wants us gone. Thrown so that locks are released on the way out. */
export class Interrupted extends Error {
  name = "Interrupted";
  constructor(signal) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}

let received;
let receivedAt = Number.NEGATIVE_INFINITY;
/** Running children, each with its patience. */
const children = new Map();

/** Signals a child and all that it started. It leads a process group of its own where there are such. */
const signalChild = (child, signal) => {
  try {
    if (process.platform === "win32") child.kill(signal);
    else if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
};

const passOn = (signal) => {
  const now = performance.now();
  if (now - receivedAt < SAME_KEY_PRESS) return;
  for (const [child, patience] of children) {
    signalChild(child, signal);
    setTimeout(() => children.has(child) && signalChild(child, "SIGKILL"), patience).unref();
  }
  received ??= signal;
  receivedAt = now;
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
    // A signal that came while we were busy may have ended a child and not have been delivered to us yet.
    await new Promise((resolve) => setImmediate(resolve));
    for (const each of ENDING) process.off(each, passOn);
    // What came of the work no longer matters.
    throwIfInterrupted();
  }
};

/**
 * Runs a program to its end, without input, with the signals we get.
 *
 * @param options cwd, env; output: "pipe" to collect what it writes, else it goes where ours goes; started: gets
 *   its process id; patience: how long it may take to end after a signal; hear: gets each message that the child
 *   sends, and a function that sends it one
 * @returns its exit status, its output if collected, and the error if it could not start
 * @throws Interrupted if we were told to end meanwhile; the child and all it started are gone by then
 */
export const runChild = async (
  file,
  args,
  { output = "inherit", started, patience = PATIENCE, hear, ...options },
) => {
  const stdio = ["ignore", output, output, ...(hear === undefined ? [] : ["ipc"])];
  const child = spawn(file, args, { ...options, stdio, detached: process.platform !== "win32" });
  children.set(child, patience);
  if (child.pid !== undefined) started?.(child.pid);
  // A child that is gone hears nothing more; its end tells why.
  child.on("message", (message) => hear(message, (answer) => child.send(answer, () => {})));
  let written = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk) => {
      written += chunk;
    });
  }
  const end = await new Promise((resolve) => {
    child.on("error", (error) => resolve({ status: 127, error }));
    child.on("close", (status) => resolve({ status: status ?? 1, error: undefined }));
  });
  if (received !== undefined) signalChild(child, "SIGKILL");
  children.delete(child);
  throwIfInterrupted();
  return { ...end, output: written };
};
