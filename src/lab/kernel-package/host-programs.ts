import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { LabError } from "../lab-error.ts";
import { type RunProgram, runProgram } from "./run-program.ts";
import { isStaticX86 } from "./static-elf.ts";

/** A QEMU that can run the linux world. */
export interface Qemu {
  readonly path: string;
  /** Such as [7, 2, 22]. */
  readonly version: readonly [number, number, number];
}

const OLDEST_QEMU = [7, 2] as const;
const QEMU = "qemu-system-x86_64";
/** How long QEMU may take to say its version: seconds on the busiest machine. */
const PATIENCE_MS = 60_000;
const SETUP = "run `npm run setup:lab`, or as root `apt-get install";

type Environment = { readonly [name: string]: string | undefined };

/** The first file of this name in the folders of PATH that may be run. */
export const onPath = (name: string, environment: Environment): string | undefined => {
  const folders = (environment["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isExecutable);
};

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The version that `qemu-system-x86_64 --version` prints; undefined if it prints none. */
export const qemuVersion = (output: string): Qemu["version"] | undefined => {
  const match = /^QEMU emulator version (\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?/m.exec(output);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
};

/** What a program says of its version. @throws LabError if it says nothing for so long */
const versionText = async (path: string, run: RunProgram, patienceMs: number): Promise<string> => {
  const patience = AbortSignal.timeout(patienceMs);
  try {
    const { stdout, stderr } = await run(path, ["--version"], { signal: patience });
    return stdout.trim() === "" ? stderr : stdout;
  } catch (cause) {
    if (!patience.aborted) throw cause;
    const why = `${path} --version has said nothing for ${patienceMs / 1000} s`;
    throw new LabError(`${why}: put another ${QEMU} first on the PATH, or ${SETUP} qemu-system-x86\``, {
      cause,
    });
  }
};

/**
 * Finds QEMU.
 *
 * @throws LabError if it is not there, too old, or says nothing, with the command that installs it
 */
export const findQemu = async (
  environment: Environment = process.env,
  run: RunProgram = runProgram,
  patienceMs = PATIENCE_MS,
): Promise<Qemu> => {
  const path = onPath(QEMU, environment);
  if (path === undefined) throw new LabError(`${QEMU} is not on the PATH: ${SETUP} qemu-system-x86\``);
  const said = await versionText(path, run, patienceMs);
  const version = qemuVersion(said);
  const wanted = `${QEMU} ${OLDEST_QEMU.join(".")} or newer is needed`;
  if (version === undefined)
    throw new LabError(`${wanted}, ${path} says "${said.trim().split("\n")[0]}": ${SETUP} qemu-system-x86\``);
  const [major, minor] = version;
  const isOld = major < OLDEST_QEMU[0] || (major === OLDEST_QEMU[0] && minor < OLDEST_QEMU[1]);
  if (isOld) throw new LabError(`${wanted}, ${path} is ${version.join(".")}: upgrade QEMU`);
  return { path, version };
};

/**
 * Finds busybox, and reads it: it goes into the guest, which has no libraries.
 *
 * @throws LabError if there is none, or none that is statically linked for x86-64
 */
export const findBusybox = (environment: Environment = process.env): { path: string; bytes: Uint8Array } => {
  const path = onPath("busybox", environment);
  if (path === undefined) throw new LabError(`busybox is not on the PATH: ${SETUP} busybox-static\``);
  const bytes = readFileSync(path);
  if (!isStaticX86(bytes))
    throw new LabError(`${path} is not statically linked for x86-64: ${SETUP} busybox-static\``);
  return { path, bytes };
};
