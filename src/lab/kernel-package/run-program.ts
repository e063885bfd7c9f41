import { spawn } from "node:child_process";
import { LabError } from "../lab-error.ts";

export interface Outcome {
  /** Exit status; 128 if a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly folder?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a program to its end, in the C locale and without input. Tests put another one in its place. */
export type RunProgram = (file: string, args: readonly string[], options?: RunOptions) => Promise<Outcome>;

/** A program that is not there, or may not be started. */
export class ProgramMissing extends LabError {
  override name = "ProgramMissing";
}

const ENVIRONMENT = { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };

/** @throws ProgramMissing if it cannot be started, LabError if `signal` ended it */
export const runProgram: RunProgram = (file, args, { folder, signal } = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: folder,
      env: { ...process.env, ...ENVIRONMENT },
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
    const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString("utf8");
    // What went wrong is told when the program is gone, so that nothing it works on is removed under it.
    let failure: LabError | undefined;
    child.on("error", (cause: NodeJS.ErrnoException) => {
      const stopped = cause.code === "ABORT_ERR";
      failure = stopped ? new LabError(`${file} was stopped`, { cause }) : missing(file, cause);
    });
    child.on("exit", () => {
      if (failure === undefined) return;
      // Whoever it has started may still hold its outputs, which nobody reads any more.
      child.stdout.destroy();
      child.stderr.destroy();
    });
    child.on("close", (code) => {
      if (failure !== undefined) reject(failure);
      else resolve({ status: code ?? 128, stdout: text(stdout), stderr: text(stderr) });
    });
  });

const missing = (file: string, cause: NodeJS.ErrnoException): ProgramMissing =>
  new ProgramMissing(`cannot start ${file} (${cause.code})`, { cause });
