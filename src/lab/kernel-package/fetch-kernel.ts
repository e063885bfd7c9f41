import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../lab-error.ts";
import { type AptSource, debianArchives } from "./apt-sources.ts";
import { AptWorkspace, privateSources } from "./apt-workspace.ts";
import { entriesOf, type KernelFiles, kernelsBelow } from "./kernel-files.ts";
import { makeFolder } from "./make-folder.ts";
import { chooseKernel, type KernelChoice, kernelSeries } from "./package-choice.ts";
import { withProcessLock } from "./process-lock.ts";
import { ProgramMissing, type RunProgram } from "./run-program.ts";

export interface FetchOptions {
  /** "6.12", another series, or "newest". */
  readonly line: string;
  /** The cache's folder; kernels go to kernels/ in it. */
  readonly cache: string;
  readonly sources: readonly AptSource[];
  readonly keyring: string;
  readonly run: RunProgram;
  readonly signal?: AbortSignal | undefined;
  /** Told what takes time, as a phrase. */
  readonly progress?: ((what: string) => void) | undefined;
}

const INSTEAD = "pass a kernel of your own with --kernel BZIMAGE";

/**
 * Downloads Debian's newest cloud kernel of a line and unpacks it into the cache. Nothing is installed. A reader sees
 * a whole kernel or none; of two processes the second finds what the first fetched.
 *
 * @throws LabError if there is no Debian archive, no network, or no such kernel
 */
export const fetchKernel = async (options: FetchOptions): Promise<KernelFiles> => {
  const { cache, sources, keyring } = options;
  const archives = debianArchives(sources);
  if (archives.main.length === 0)
    throw new LabError(
      `no kernel to run: this machine's apt has no Debian archive to fetch one from; ${INSTEAD}`,
    );
  return naming(cache, async () => {
    makeFolder(join(cache, "kernels"));
    return withProcessLock(join(cache, "fetch.lock"), async () => {
      for (const name of entriesOf(cache).filter(isScratch)) remove(join(cache, name));
      const scratch = mkdtempSync(join(cache, SCRATCH));
      try {
        const settings = privateSources(archives, keyring);
        const workspace = new AptWorkspace(join(scratch, "apt"), settings, options.run, options.signal);
        return await fetchWith(workspace, scratch, options);
      } finally {
        remove(scratch);
      }
    });
  });
};

const SCRATCH = "fetch-";
/** A folder that a process which was killed left behind: whoever has the lock may remove it. */
const isScratch = (name: string): boolean => name.startsWith(SCRATCH);
const remove = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** What the file system refuses, and a program that is not there, become a line that says what to do. */
const naming = async <T>(cache: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ProgramMissing)
      throw new LabError(`no kernel to run, and ${cause.message} to fetch one; ${INSTEAD}`, { cause });
    if (!(cause instanceof Error && "syscall" in cause && "code" in cause)) throw cause;
    const message = `cannot keep a kernel in ${cache}: ${cause.code}; set XDG_CACHE_HOME to a folder with room, or ${INSTEAD}`;
    throw new LabError(message, { cause });
  }
};

const fetchWith = async (
  workspace: AptWorkspace,
  scratch: string,
  options: FetchOptions,
): Promise<KernelFiles> => {
  options.progress?.("reading Debian's package lists");
  const available = await workspace.available();
  const choice = chooseKernel(available, options.line);
  if (choice === undefined) {
    const others = kernelSeries(available);
    const reason =
      others.length > 0 ? `Debian has ${others.join(", ")}` : workspace.complaint || "Debian has none";
    throw new LabError(`cannot fetch a ${options.line} cloud kernel: ${reason}; ${INSTEAD}`);
  }
  const { name, version } = choice.known;
  const target = join(options.cache, "kernels", `${name}_${version.replaceAll(":", "%3a")}`);
  if (!existsSync(target)) {
    options.progress?.(`fetching Linux ${choice.release}`);
    await workspace.download(choice.packages, scratch);
    renameSync(await unpacked(choice, scratch, options), target);
  }
  const kernel = kernelsBelow(target).find(({ release }) => release === choice.release);
  if (kernel === undefined)
    throw new LabError(`${target} holds no Linux ${choice.release}: delete it and try again`);
  return kernel;
};

/** What of a package a guest has no use for. */
const UNUSED = ["usr/share"];

const unpacked = async (
  choice: KernelChoice,
  scratch: string,
  { run, signal }: FetchOptions,
): Promise<string> => {
  const tree = join(scratch, "tree");
  for (const archive of readdirSync(scratch).filter((name) => name.endsWith(".deb"))) {
    const { status, stderr } = await run("dpkg-deb", ["-x", join(scratch, archive), tree], { signal });
    if (status !== 0) throw new LabError(`cannot unpack ${archive}: ${stderr.trim().split("\n").at(-1)}`);
  }
  if (!kernelsBelow(tree).some(({ release }) => release === choice.release))
    throw new LabError(
      `the packages of Linux ${choice.release} hold no kernel image where one is looked for`,
    );
  for (const folder of UNUSED) remove(join(tree, folder));
  return tree;
};
