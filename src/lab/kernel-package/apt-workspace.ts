import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../lab-error.ts";
import type { DebianArchives } from "./apt-sources.ts";
import { type DebianPackage, parsePackages } from "./package-choice.ts";
import type { RunProgram } from "./run-program.ts";

/**
 * Suites with kernels that are enlightened for TDX guests, whatever release the machine itself runs: nothing is
 * installed, so its own release does not matter. One that does not exist (yet, or any more) is passed over.
 */
const SUITES = {
  main: ["bookworm-backports", "trixie-backports", "forky-backports"],
  security: ["bookworm-security"],
} as const satisfies { [archive in keyof DebianArchives]: readonly string[] };

/** apt's sources for these suites, each signed by Debian. */
export const privateSources = (archives: DebianArchives, keyring: string): string => {
  const stanza = (uris: readonly string[], suites: readonly string[]): string[] =>
    uris.length === 0
      ? []
      : [
          `Types: deb\nURIs: ${uris.join(" ")}\nSuites: ${suites.join(" ")}\nComponents: main\n` +
            `Architectures: amd64\nTargets: Packages\nSigned-By: ${keyring}\n`,
        ];
  return [...stanza(archives.main, SUITES.main), ...stanza(archives.security, SUITES.security)].join("\n");
};

/** Settings on top of the machine's own, which say how to reach its hosts. What apt writes lies in `folder`. */
export const privateSettings = (folder: string): string =>
  [
    `Dir::Etc::sourcelist "${folder}/debian.sources";`,
    'Dir::Etc::sourceparts "/dev/null";',
    'Dir::Etc::preferences "/dev/null";',
    'Dir::Etc::preferencesparts "/dev/null";',
    `Dir::State "${folder}/state";`,
    `Dir::State::lists "${folder}/lists";`,
    'Dir::State::status "/dev/null";',
    `Dir::Cache "${folder}/cache";`,
    `Dir::Log "${folder}/log";`,
    'Acquire::Languages "none";',
    'Acquire::Retries "2";',
    // Only root may change to apt's own user, who may not enter our folder.
    'APT::Sandbox::User "root";',
    "#clear APT::Update::Pre-Invoke;",
    "#clear APT::Update::Post-Invoke;",
    "#clear APT::Update::Post-Invoke-Success;",
    "#clear DPkg::Pre-Invoke;",
    "#clear DPkg::Post-Invoke;",
    "",
  ].join("\n");

/** The line of apt's complaints that says the most; empty if it only missed a suite that does not exist. */
export const aptReason = (stderr: string): string => {
  const said = stderr.split("\n").map((line) => line.trim());
  const lines = said.filter(
    (line) => line !== "" && !/does not have a Release file|Some index files/.test(line),
  );
  const telling = lines.find((line) => /^[EW]: Failed to fetch|^E: /.test(line)) ?? lines[0] ?? "";
  return telling.replace(/^[EWN]: /, "");
};

/** An apt with sources, lists and state of its own below one folder. It changes nothing of the machine's. */
export class AptWorkspace {
  readonly #folder: string;
  readonly #run: RunProgram;
  readonly #signal: AbortSignal | undefined;
  #complaint = "";

  constructor(folder: string, sources: string, run: RunProgram, signal?: AbortSignal) {
    this.#folder = folder;
    this.#run = run;
    this.#signal = signal;
    for (const part of ["lists/partial", "cache/archives/partial", "state", "log"])
      mkdirSync(join(folder, part), { recursive: true });
    writeFileSync(join(folder, "debian.sources"), sources);
    writeFileSync(join(folder, "apt.conf"), privateSettings(folder));
  }

  /** What apt complained of in `available`, for a message; empty if of nothing. */
  get complaint(): string {
    return this.#complaint;
  }

  /** Fetches the lists and reads them. A suite that fails is only a complaint: the others may do. */
  async available(): Promise<DebianPackage[]> {
    const { stderr } = await this.#apt("apt-get", ["update", "-qq"]);
    this.#complaint = aptReason(stderr);
    const { stdout } = await this.#apt("apt-cache", ["dumpavail"]);
    return parsePackages(stdout);
  }

  /**
   * Downloads packages into the folder `to`, checked against the signed lists.
   *
   * @throws LabError if apt fails
   */
  async download(packages: readonly DebianPackage[], to: string): Promise<void> {
    const names = packages.map(({ name, version }) => `${name}=${version}`);
    const { status, stderr } = await this.#apt("apt-get", ["download", "-qq", ...names], to);
    if (status !== 0)
      throw new LabError(`apt-get could not download ${names.join(" ")}: ${aptReason(stderr)}`);
  }

  #apt(program: string, args: readonly string[], folder = this.#folder) {
    const settings = ["-c", join(this.#folder, "apt.conf")];
    return this.#run(program, [...settings, ...args], { folder, signal: this.#signal });
  }
}
