import { type ChildProcess, spawn } from "node:child_process";
import { LabError } from "../lab-error.ts";

const PROGRAM = "qemu-system-x86_64";
/** Bytes of QEMU's own complaints that are kept. */
const COMPLAINT_BYTES = 4096;
/**
 * util-linux's way to have a child end with its parent, however the parent ends; then a shell, so that what QEMU makes, its
 * sockets first of all, is for nobody else.
 */
const WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--", "/bin/sh", "-c", 'umask 177; exec "$@"', "sh"];
const HINTS: { readonly [program: string]: string } = {
  setpriv: "it comes with util-linux: as root `apt-get install util-linux`",
  [PROGRAM]: "npm run setup:lab installs QEMU",
};

/** How QEMU ended. */
export interface QemuEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last that it wrote on standard error, one line. */
  readonly complaint: string;
}

/** One QEMU process. It never outlives this one. */
export class Qemu {
  /** Fulfilled once the process is gone; never rejected. */
  readonly ended: Promise<QemuEnd>;
  private readonly child: ChildProcess;
  private complaint = "";
  private readonly killNow = (): void => {
    this.child.kill("SIGKILL");
  };

  private constructor(child: ChildProcess) {
    this.child = child;
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.complaint = (this.complaint + text).slice(-COMPLAINT_BYTES);
    });
    process.once("exit", this.killNow);
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        process.off("exit", this.killNow);
        resolve({ code, signal, complaint: this.complaint.trim().replaceAll(/\s*\n\s*/g, "; ") });
      });
    });
  }

  /** Number of the process. */
  get pid(): number {
    return this.child.pid!;
  }

  /**
   * Starts QEMU.
   *
   * @throws LabError if it is not installed
   */
  static async start(args: readonly string[], program: string = PROGRAM): Promise<Qemu> {
    const [command, ...rest] =
      process.platform === "linux" ? [...WITH_PARENT, program, ...args] : [program, ...args];
    const child = spawn(command!, rest, { stdio: ["ignore", "ignore", "pipe"] });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause: NodeJS.ErrnoException) => {
        const why = cause.code === "ENOENT" ? "is not on the PATH" : `cannot be started (${cause.code})`;
        reject(new LabError(`${command} ${why}: ${HINTS[command!] ?? ""}`, { cause }));
      });
    });
    return new Qemu(child);
  }

  /** A rejection that says how QEMU ended, for waiting on something that only a live one brings. */
  async died(): Promise<never> {
    const { code, signal, complaint } = await this.ended;
    const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`;
    throw new LabError(`QEMU ${how}${complaint === "" ? "" : `: ${complaint}`}`);
  }

  /**
   * Connects to what QEMU makes while it starts. An attempt does not outlive QEMU.
   *
   * @param connect ends its attempt, and the connection, when its signal says so
   * @throws LabError if QEMU ends first; whatever `connect` throws
   */
  async reach<T>(connect: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const attempt = new AbortController();
    const giveUp = (): void => attempt.abort(signal?.reason);
    signal?.addEventListener("abort", giveUp, { once: true });
    if (signal?.aborted) giveUp();
    try {
      return await Promise.race([connect(attempt.signal), this.died()]);
    } catch (error) {
      giveUp();
      throw error;
    }
  }

  /** Ends it, if it has not ended, and waits until it is gone. */
  async stop(): Promise<QemuEnd> {
    this.child.kill("SIGKILL");
    return this.ended;
  }
}
