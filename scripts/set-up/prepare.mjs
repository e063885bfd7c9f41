import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { CACHE, ROOT } from "./checkout.mjs";
import { buildDist, ENTRY } from "./dist.mjs";
import { BuildFailure, explained, SetUpFailure } from "./failure.mjs";
import { distIsFresh } from "./fresh.mjs";
import { install, staleness } from "./install.mjs";
import { withLock } from "./lock.mjs";
import { endBy, Interrupted, withSignalsHeld } from "./signals.mjs";

const say = (text) => process.stderr.write(text);

/** One line on stderr for one piece of set-up: what it is, then how long it took. */
const announced = async (what, work) => {
  const begun = performance.now();
  say(`tidemark: ${what} ... `);
  let end = "stopped\n";
  try {
    await work();
    end = `${((performance.now() - begun) / 1000).toFixed(1)} s\n`;
  } finally {
    say(end);
  }
};

const waitingLine = () => {
  let said = false;
  return (owner) => {
    if (!said) say(`tidemark: waiting for the set-up that process ${owner.pids[0] ?? "?"} does\n`);
    said = true;
  };
};

/** Takes the lock and does whatever still needs doing: another process may have done it meanwhile. */
const setUpLocked = async (root, wants) => {
  mkdirSync(join(root, CACHE), { recursive: true });
  await withLock(join(root, CACHE), waitingLine(), async (nameChild) => {
    if (wants.packages && staleness(root) !== undefined) {
      await announced("installing packages", () => install(root, nameChild));
    }
    if (wants.dist && (wants.rebuild || !distIsFresh(root))) {
      await announced("building dist", () => buildDist(root, { clean: wants.rebuild }));
    }
  });
};

/**
 * Makes a checkout ready: node_modules as package-lock.json says, dist/ as src/ says. Does nothing, takes no lock
 * and writes nothing if both are so already.
 *
 * @param wants packages, dist: which of the two; rebuild: dist/ anew and with nothing old in it
 * @throws SetUpFailure, BuildFailure, Interrupted
 */
export const setUp = async (wants, root = ROOT) => {
  const packages = wants.packages && staleness(root) !== undefined;
  const dist = wants.dist && (wants.rebuild || packages || !distIsFresh(root));
  if (!packages && !dist) return;
  if (dist && !existsSync(join(root, ENTRY)))
    throw new SetUpFailure(`${ENTRY} is missing: there is nothing to build`);
  // Building needs the packages, even if the caller can do without them once dist/ is there.
  await withSignalsHeld(() => setUpLocked(root, { ...wants, packages: true, dist }));
};

/** Says what stopped us and gives the exit status for it. A mistake of ours shows where it happened. */
export const statusOfFailure = (thrown) => {
  const error = explained(thrown);
  if (error instanceof Interrupted) {
    endBy(error.signal);
    return 1;
  }
  if (!(error instanceof SetUpFailure || error instanceof BuildFailure)) {
    say(`${error?.stack ?? error}\n`);
    return 1;
  }
  const heading = error instanceof BuildFailure ? "the sources do not build\n" : "";
  say(`tidemark: ${heading}${error.message}\n`);
  return 3;
};

/** Like setUp, but tells the user what failed. @returns false, with the exit status set, if something did */
export const prepareToRun = async (wants) => {
  try {
    await setUp(wants);
    return true;
  } catch (error) {
    process.exitCode = statusOfFailure(error);
    return false;
  }
};

/** The body of a script: its result is the exit status, and what stops the set-up is told in a line. */
export const asScript = async (work) => {
  try {
    process.exitCode = await withSignalsHeld(work);
  } catch (error) {
    process.exitCode = statusOfFailure(error);
  }
};
