import { type Command, Option } from "commander";
import type { OnViolation } from "../lab/enforce/enforcer.ts";
import { oneLine } from "../scenario/scenario-error.ts";
import { UsageError } from "./exit-status.ts";
import type { Playground } from "./worlds.ts";

/** As src/lab/enforce/enforcer.ts has them; here so that help needs no lab. */
const ON_VIOLATION = ["stop", "report", "accept"] as const satisfies readonly OnViolation[];
const ENFORCE = ["exact", "audit"] as const;
const TRAP = ["mailbox", "breakpoints"] as const;

/** Options of the linux world. One that is left out has its default there. */
export interface LinuxOptions {
  /** Path of a bzImage. */
  readonly kernel?: string;
  /** Path of its modules. */
  readonly modules?: string;
  readonly onViolation?: OnViolation;
  readonly enforce?: (typeof ENFORCE)[number];
  readonly trap?: (typeof TRAP)[number];
  /** More of the kernel's command line. */
  readonly append?: string;
}

const FLAGS: { readonly [option in keyof LinuxOptions]-?: string } = {
  kernel: "--kernel",
  modules: "--modules",
  onViolation: "--on-violation",
  enforce: "--enforce",
  trap: "--trap",
  append: "--append",
};

const NAMES = Object.keys(FLAGS) as readonly (keyof LinuxOptions)[];

/** Adds the options to a command that can run a real kernel. */
export const addLinuxOptions = (command: Command): Command =>
  command
    .option("--kernel <bzimage>", "linux: kernel to boot, instead of one of the cache or of Debian")
    .option("--modules <dir>", "linux: modules of that kernel, if they are not where its package has them")
    .addOption(
      new Option(
        "--on-violation <what>",
        "linux: at a wrong access stop the guest as hardware does, report it, or accept the memory (default stop)",
      ).choices(ON_VIOLATION),
    )
    .addOption(
      new Option(
        "--enforce <how>",
        "linux: exact stops at the access, audit looks at the pages at the end (default exact)",
      ).choices(ENFORCE),
    )
    .addOption(
      new Option(
        "--trap <how>",
        "linux: serve TDCALLs by code put into the kernel's text, or leave it alone and stop at each (default mailbox)",
      ).choices(TRAP),
    )
    .option("--append <text>", "linux: more of the kernel's command line, such as nokaslr");

/** @throws UsageError if options of the linux world are given with another one, or do not go together */
export const checkLinuxOptions = (options: LinuxOptions, world: Playground): void => {
  const given = NAMES.find((name) => options[name] !== undefined);
  if (world === "model" && given !== undefined) {
    const said = `${FLAGS[given]} ${options[given]}: expected the linux world, found the ${world} world; add --world linux`;
    throw new UsageError(oneLine(said));
  }
  if (options.modules !== undefined && options.kernel === undefined) {
    const said = `--modules ${options.modules}: expected the kernel they belong to, found none; add --kernel BZIMAGE`;
    throw new UsageError(oneLine(said));
  }
  const { append = "" } = options;
  if (append !== oneLine(append)) {
    throw new UsageError(`--append ${oneLine(append)}: expected one line of text, found control characters`);
  }
};
