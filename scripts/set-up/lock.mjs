import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { throwIfInterrupted } from "./signals.mjs";

/** The owner touches its lock this often; a waiter that sees no touch for PATIENCE calls it abandoned. */
const HEARTBEAT = 1000;
const PATIENCE = 30_000;
const POLL = 100;
/** A grave, see `bury`, is kept for this long. */
const GRAVE_AGE = 3_600_000;

const codeOf = (work) => {
  try {
    work();
    return undefined;
  } catch (error) {
    return error.code ?? "unknown";
  }
};

const alive = (pid) => codeOf(() => process.kill(pid, 0)) !== "ESRCH";

/** The lock's owner, undefined if the lock is free. An owner we cannot read has no processes to ask. */
const read = (lock) => {
  let touched = 0;
  try {
    touched = statSync(lock).mtimeMs;
    return { ...JSON.parse(readFileSync(join(lock, "owner.json"), "utf8")), touched };
  } catch {
    if (touched === 0) return undefined;
    return { token: `unreadable-${touched}`, host: "", pids: [], touched };
  }
};

/** True if nobody who could release the lock is left. Processes of another host cannot be asked. */
const abandoned = (owner) => owner.host === hostname() && !owner.pids.some(alive);

/**
 * Moves the dead owner's lock out of the way. The target carries the dead owner's token and stays for an
 * hour, hence a second process that judged the same owner dead fails here instead of burying a newer lock.
 */
const bury = (lock, owner) => {
  const grave = `${lock}-${owner.token}`;
  const code = codeOf(() => {
    renameSync(lock, grave);
    utimesSync(grave, new Date(), new Date());
  });
  if (!["ENOENT", "ENOTEMPTY", "EEXIST", "EPERM", undefined].includes(code))
    throw new Error(`${lock}: ${code}`);
};

const clearGraves = (folder) => {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!/^set-up\.lock-/.test(name)) continue;
    codeOf(() => {
      if (Date.now() - statSync(path).mtimeMs > GRAVE_AGE) rmSync(path, { recursive: true });
    });
  }
};

/** Takes the lock if it is free. It appears in one step with its owner in it, so no reader sees it half made. */
const take = (lock, owner) => {
  const made = `${lock}-new-${owner.token}`;
  mkdirSync(made);
  writeFileSync(join(made, "owner.json"), JSON.stringify(owner));
  const code = codeOf(() => renameSync(made, lock));
  if (code === undefined) return true;
  rmSync(made, { recursive: true, force: true });
  if (["ENOTEMPTY", "EEXIST", "EPERM"].includes(code)) return false;
  throw new Error(`${lock}: ${code}`);
};

const acquire = async (lock, owner, onWait) => {
  let seen = "";
  let since = performance.now();
  const start = since;
  while (!take(lock, owner)) {
    throwIfInterrupted();
    const other = read(lock);
    if (other === undefined) continue; // Released just now: try again.
    const sign = `${other.token} ${other.touched}`;
    const now = performance.now();
    if (sign !== seen) [seen, since] = [sign, now];
    if (abandoned(other) || now - since > PATIENCE) bury(lock, other);
    else {
      if (now - start > HEARTBEAT) onWait(other);
      await sleep(POLL);
    }
  }
};

/**
 * Does `work` while no other process on this checkout does any.
 *
 * @param folder an existing folder that can be written
 * @param onWait called again and again while another process has the lock, with its owner
 * @param work gets a function that names one more process (a child) without which the lock is abandoned
 */
export const withLock = async (folder, onWait, work) => {
  const lock = join(folder, "set-up.lock");
  const token = `${process.pid}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  const owner = { token, host: hostname(), pids: [process.pid] };
  await acquire(lock, owner, onWait);
  const beat = setInterval(() => codeOf(() => utimesSync(lock, new Date(), new Date())), HEARTBEAT);
  try {
    clearGraves(folder);
    return await work((pid) => {
      owner.pids.push(pid);
      const next = join(lock, "owner.json.new");
      writeFileSync(next, JSON.stringify(owner));
      renameSync(next, join(lock, "owner.json"));
    });
  } finally {
    clearInterval(beat);
    if (read(lock)?.token === token) rmSync(lock, { recursive: true, force: true });
  }
};
