import { existsSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MIB } from "../../units.ts";
import { Cleanup } from "../cleanup.ts";
import { bootPieces } from "../guest-ram/boot-pieces.ts";
import { GuestRam } from "../guest-ram/guest-ram.ts";
import { RamFile } from "../guest-ram/ram-file.ts";
import { LabError } from "../lab-error.ts";
import { Connection } from "../wire/connection.ts";
import { ConnectionEnded } from "../wire/connection-ended.ts";
import { QmpClient } from "../wire/qmp-client.ts";
import { type LabFiles, nodeBackend, nodeSizes, type QemuMachine, qemuArguments } from "./command-line.ts";
import { Qemu, type QemuEnd } from "./qemu.ts";
import { WorkDirectory } from "./work-directory.ts";

/** How long QEMU may take until it listens on its sockets. It says sooner when it cannot start. */
const START_MS = 120_000;
/** How long a QEMU that has closed a connection may take to be gone. */
const END_MS = 60_000;

const filesIn = ({ path, ramPath }: WorkDirectory): LabFiles => ({
  gdb: join(path, "gdb"),
  qmp: join(path, "qmp"),
  console: join(path, "console"),
  consoleLog: join(path, "console.log"),
  agent: join(path, "agent"),
  deviceLog: join(path, "devices.log"),
  ram: (id) => join(ramPath, `ram-${id}`),
});

const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

/** @throws LabError if the file system has no room */
const writeInitrd = (path: string, bytes: Uint8Array): void => {
  try {
    writeFileSync(path, bytes, { mode: 0o600 });
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new LabError(
      `the guest's initramfs of ${mib(bytes.length)} cannot be written to ${path}: ${why}; set TMPDIR to a folder with room`,
      { cause },
    );
  }
};

/** How a QEMU ended that has closed a connection; undefined if it goes on. */
const endOf = ({ ended }: Qemu): Promise<QemuEnd | undefined> => {
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, END_MS, undefined).unref());
  return Promise.race([ended, late]);
};

/** What a signal means that QEMU is ended by while it starts. */
const ENDS: { readonly [signal: string]: string } = {
  SIGXFSZ: "files may not be as large as the guest's memory; raise the limit (ulimit -f)",
};

/** A machine in QEMU, its memory files and its sockets. All of it is gone after `close`. */
export class QemuGuest {
  readonly qemu: Qemu;
  readonly qmp: QmpClient;
  readonly ram: GuestRam;
  readonly files: LabFiles;
  private readonly cleanup: Cleanup;

  private constructor(qemu: Qemu, qmp: QmpClient, ram: GuestRam, files: LabFiles, cleanup: Cleanup) {
    this.qemu = qemu;
    this.qmp = qmp;
    this.ram = ram;
    this.files = files;
    this.cleanup = cleanup;
  }

  /**
   * Starts QEMU and connects to its monitor.
   *
   * @param machine without `initrd`, whose bytes are given
   * @throws LabError if QEMU cannot start; nothing is left behind
   */
  static async start(
    machine: Omit<QemuMachine, "initrd">,
    initrd: Uint8Array,
    signal?: AbortSignal,
  ): Promise<QemuGuest> {
    const cleanup = new Cleanup();
    try {
      return await QemuGuest.open(machine, initrd, cleanup, signal);
    } catch (error) {
      await cleanup.run();
      throw error;
    }
  }

  private static async open(
    machine: Omit<QemuMachine, "initrd">,
    initrd: Uint8Array,
    cleanup: Cleanup,
    signal: AbortSignal | undefined,
  ): Promise<QemuGuest> {
    const directory = new WorkDirectory();
    cleanup.add(() => directory.close());
    const files = filesIn(directory);
    const initrdFile = join(directory.path, "initrd");
    writeInitrd(initrdFile, initrd);
    const qemu = await Qemu.start(qemuArguments({ ...machine, initrd: initrdFile }, files));
    cleanup.add(async () => {
      await qemu.stop();
    });
    const monitor = (until: AbortSignal): Promise<QmpClient> =>
      QmpClient.connect(files.qmp, { patienceMs: START_MS, signal: until });
    const qmp = await qemu.reach(monitor, signal).catch(async (cause: unknown) => {
      // A QEMU that cannot have what it was asked for closes its sockets, and says why.
      const isGone = cause instanceof ConnectionEnded && cause.reason === "closed by peer";
      const { complaint, signal: by } = (isGone ? await endOf(qemu) : undefined) ?? (await qemu.stop());
      const why = isGone && by !== null ? (ENDS[by] ?? `it was ended by ${by}`) : complaint;
      throw why === "" ? cause : new LabError(`QEMU cannot start: ${why}`, { cause });
    });
    cleanup.add(() => qmp.close());
    const ram = new GuestRam();
    cleanup.add(() => ram.close());
    const backends = nodeSizes(machine.layout.memory, machine.nodes);
    const opened = backends.map((_, node) => new RamFile(files.ram(nodeBackend(node))));
    for (const { node, ...piece } of bootPieces(machine.layout.ram, backends))
      ram.add({ ...piece, file: opened[node]! });
    return new QemuGuest(qemu, qmp, ram, files, cleanup);
  }

  /** Opens a socket of the machine, which `close` closes. */
  async connect(name: string, path: string): Promise<Connection> {
    const connection = await this.qemu.reach((signal) =>
      Connection.open(name, path, { patienceMs: START_MS, signal }),
    );
    this.cleanup.add(() => connection.close());
    return connection;
  }

  /**
   * Why something failed: a connection that QEMU's end has closed fails because of that, and a QEMU that finds no room
   * for memory that the guest touches is ended by SIGBUS.
   */
  async explain<E>(error: E): Promise<E | LabError> {
    if (!(error instanceof ConnectionEnded)) return error;
    const end = await endOf(this.qemu);
    if (end === undefined) return error;
    if (end.signal === "SIGBUS") {
      const folder = dirname(dirname(this.files.ram("")));
      const { bavail, bsize } = statfsSync(folder);
      return new LabError(
        `the guest's memory does not fit into ${folder}, which has ${mib(bavail * bsize)} left: give it less memory, or free some there`,
        { cause: error },
      );
    }
    return this.qemu.died().catch((why: LabError) => why);
  }

  /** All that the guest printed on its console so far. */
  consoleText(): string {
    return existsSync(this.files.consoleLog) ? readFileSync(this.files.consoleLog, "latin1") : "";
  }

  /** Has something undone before the machine goes. */
  onClose(undo: () => void | Promise<void>): void {
    this.cleanup.add(undo);
  }

  /** Ends QEMU and removes every file. */
  close(): Promise<void> {
    return this.cleanup.run();
  }
}
