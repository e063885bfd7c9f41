import { isMainThread, workerData } from "node:worker_threads";
import { MachineSystem } from "../check/machine/system.ts";
import { type KnownMachine, toldOf } from "./known-machine.ts";
import { SEARCH_THREAD } from "./search-messages.ts";
import { serveSearch } from "./serve-search.ts";

/**
 * This very file, for threads to begin with: bundled, it is a part of its own. Undefined where it lies as a source, which
 * Node 20 does not read.
 */
export const MACHINE_THREAD: URL | undefined = import.meta.url.endsWith(".ts")
  ? undefined
  : new URL(import.meta.url);

/** A worker of somebody else's may load this file as well. */
const isSearchThread = (data: unknown): boolean =>
  typeof data === "object" && data !== null && "kind" in data && data.kind === SEARCH_THREAD;

if (!isMainThread && isSearchThread(workerData))
  serveSearch((machine) => {
    const { configuration, knowledge, reductions }: KnownMachine = JSON.parse(JSON.stringify(machine));
    const system = new MachineSystem(configuration, knowledge);
    system.reduce(reductions);
    return system;
  }, toldOf);
