import { ROOT } from "./checkout.mjs";
import { SetUpFailure } from "./failure.mjs";
import { setUp } from "./prepare.mjs";
import { runChild } from "./signals.mjs";

/** The sources that this script uses, bundled each time: it takes a tenth of a second, and is never old. */
const SOURCES = ["kernel-package/find-kernel", "kernel-package/host-programs", "lab-error"].map(
  (name) => `./src/lab/${name}.ts`,
);

/** Programs that have to be on the PATH besides QEMU and busybox, which are looked at more closely. */
const PROGRAMS = { "qemu-img": "qemu-utils", xz: "xz-utils", flock: "util-linux", "dpkg-deb": "dpkg" };

const say = (text) => process.stderr.write(`tidemark: ${text}\n`);

/** What the program itself would say of a machine, so that this script and the program never disagree. */
const labSources = async () => {
  await setUp({ packages: true, dist: false });
  const { buildSync } = await import("esbuild");
  const { outputFiles } = buildSync({
    absWorkingDir: ROOT,
    stdin: { contents: SOURCES.map((path) => `export * from "${path}";`).join("\n"), resolveDir: ROOT },
    write: false,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "silent",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
};

/** The reason why `look` failed, as its message; undefined if it did not. */
const complaintOf = async (look) => {
  try {
    await look();
    return undefined;
  } catch (error) {
    return error.message;
  }
};

/** Debian's packages that this machine lacks, each with why. */
const missingPackages = async ({ findQemu, findBusybox, onPath }) => {
  const missing = new Map();
  const qemu = await complaintOf(() => findQemu());
  const busybox = await complaintOf(() => findBusybox());
  if (qemu !== undefined) missing.set("qemu-system-x86", qemu);
  if (busybox !== undefined) missing.set("busybox-static", busybox);
  for (const [program, name] of Object.entries(PROGRAMS)) {
    if (onPath(program, process.env) === undefined) missing.set(name, `${program} is not on the PATH`);
  }
  return missing;
};

const APT_ENVIRONMENT = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };

const apt = async (...args) => {
  const { status, error, output } = await runChild("apt-get", args, { output: "pipe", env: APT_ENVIRONMENT });
  if (error === undefined && status === 0) return;
  const lines = output.split("\n").filter((line) => line.startsWith("E: "));
  const reason = (lines[0] ?? output.trim().split("\n").at(-1) ?? "").replace(/^E: /, "");
  throw new SetUpFailure(`apt-get ${args[0]} failed: ${reason || `status ${status}`}`);
};

const installPackages = async ({ onPath }, names) => {
  const command = `apt-get install --no-install-recommends ${names.join(" ")}`;
  if (onPath("apt-get", process.env) === undefined)
    throw new SetUpFailure(
      `needs ${names.join(", ")} (Debian's names), and there is no apt-get to install them`,
    );
  if (process.getuid() !== 0)
    throw new SetUpFailure(`needs root to install what is missing: sudo ${command}`);
  say(`installing ${names.join(", ")}`);
  await apt("update", "-qq");
  await apt("install", "-y", "-qq", "--no-install-recommends", ...names);
};

/**
 * Installs what the linux world needs and fetches kernels of these lines.
 *
 * @returns 0
 * @throws SetUpFailure if something cannot be had, in one line
 */
export const setUpLab = async (lines) => {
  const wrong = lines.find((line) => !/^(newest|\d+\.\d+)$/.test(line));
  if (wrong !== undefined) {
    say(`"${wrong}" is no line of kernels: expected a series such as 6.12, or newest`);
    return 2;
  }
  const sources = await labSources();
  const missing = await missingPackages(sources);
  if (missing.size > 0) await installPackages(sources, [...missing.keys()]);
  for (const [, why] of await missingPackages(sources)) throw new SetUpFailure(why);
  const { path, version } = await sources.findQemu();
  process.stdout.write(`${path} ${version.join(".")}\n`);
  for (const line of lines.length > 0 ? lines : [sources.DEFAULT_LINE]) {
    const { image } = await fetched(sources, line);
    process.stdout.write(`${image}\n`);
  }
  return 0;
};

const fetched = async ({ findKernel, LabError }, line) => {
  try {
    return await findKernel({ line, progress: say });
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    throw new SetUpFailure(error.message, { cause: error });
  }
};
