import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Qemu } from "../qemu/qemu.ts";

const QEMU = "qemu-system-x86_64";

/** Whether this machine has QEMU: tests that need it run with `it.skipIf(!qemuInstalled)`. */
export const qemuInstalled: boolean = spawnSync(QEMU, ["--version"], { stdio: "ignore" }).status === 0;

/** Time for QEMU to make its sockets on a busy machine. */
const PATIENCE_MS = 120_000;

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
  const ending = new AbortController();
  let qemu: Qemu | undefined;
  try {
    qemu = await Qemu.start(argumentsFor(folder, more));
    const exited = qemu.ended.then(({ complaint }) => {
      // What it wrote before it ended lies in the sockets already, and is read before this.
      setImmediate(() => ending.abort(new Error(`QEMU ended: ${complaint}`)));
    });
    return await work({
      gdbPath: join(folder, "gdb"),
      qmpPath: join(folder, "qmp"),
      serialPath: join(folder, "serial"),
      connect: { signal: ending.signal, patienceMs: PATIENCE_MS },
      exited,
    });
  } finally {
    await qemu?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};
