import { spawn } from "node:child_process";
import { once } from "node:events";
import { LabError } from "../lab-error.ts";

/**
 * Does `work` while no other process holds this lock. The kernel keeps it, through flock(1) of util-linux, and takes
 * it away when this process ends in whatever way, so a lock is never left behind.
 *
 * @param path a file that is made if it is not there; it stays, empty
 * @throws LabError if there is no flock
 */
export const withProcessLock = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
  // The holder waits for the end of its input, which comes when we close it or die.
  const holder = spawn("flock", ["--exclusive", path, "sh", "-c", "echo held; read -r end || :"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const gone = once(holder, "close").catch((cause: unknown) => {
    throw new LabError("cannot start flock: install util-linux", { cause });
  });
  try {
    const refused = gone.then(([status]) => {
      throw new LabError(`cannot lock ${path}: flock ended with status ${status}`);
    });
    await Promise.race([once(holder.stdout, "data"), refused]);
    return await work();
  } finally {
    holder.stdin.end();
    await gone.catch(() => undefined);
  }
};
