import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const QEMU = "qemu-system-x86_64";

/** Whether this machine has QEMU: tests that need it run with `it.skipIf(!qemuInstalled)`. */
export const qemuInstalled: boolean = spawnSync(QEMU, ["--version"], { stdio: "ignore" }).status === 0;

/** Time for QEMU to make its sockets on a busy machine. */
const PATIENCE_MS = 20_000;

/** QEMU processes that still run; the process that started them does not end before they do. */
const alive = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** A QEMU that a test runs, paused before its first instruction. */
export interface QemuForTest {
  readonly gdbPath: string;
  readonly qmpPath: string;
  /** Socket of the first serial port. */
  readonly serialPath: string;
  /** For the clients: they wait until the sockets are there, and end when QEMU does. */
  readonly connect: { readonly signal: AbortSignal; readonly patienceMs: number };
  /** Settles when the process has ended. */
  readonly exited: Promise<void>;
}

const argumentsFor = (folder: string, more: readonly string[]): string[] => {
  const socket = (id: string): string[] => [
    "-chardev",
    `socket,id=${id},path=${join(folder, id)},server=on,wait=off`,
  ];
  return [
    ...["-accel", "tcg", "-M", "q35", "-S", "-nodefaults", "-display", "none"],
    ...[...socket("gdb"), "-gdb", "chardev:gdb"],
    ...[...socket("qmp"), "-mon", "chardev=qmp,mode=control"],
    ...[...socket("serial"), "-serial", "chardev:serial"],
    ...more,
  ];
};

/**
 * Runs `work` with a QEMU of its own in a private folder, and ends both whatever happens.
 *
 * @param more arguments after those that every test has
 */
export const withQemu = async <T>(
  more: readonly string[],
  work: (qemu: QemuForTest) => Promise<T>,
): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-"));
  const child = spawn(QEMU, argumentsFor(folder, more), { stdio: ["ignore", "ignore", "pipe"] });
  alive.add(child);
  let printed = "";
  child.stderr.on("data", (chunk) => {
    printed += String(chunk);
  });
  const ending = new AbortController();
  const exited = new Promise<void>((resolve) => {
    child.once("close", () => {
      alive.delete(child);
      ending.abort(new Error(`QEMU ended: ${printed.trim()}`));
      resolve();
    });
  });
  try {
    return await work({
      gdbPath: join(folder, "gdb"),
      qmpPath: join(folder, "qmp"),
      serialPath: join(folder, "serial"),
      connect: { signal: ending.signal, patienceMs: PATIENCE_MS },
      exited,
    });
  } finally {
    child.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  }
};
