import { main } from "./main.ts";
import { collectingSystem, processSystem } from "./system.ts";
import { type OpenWorld, openWorld } from "./worlds.ts";

/** Runs the command of this process. The exit status is set, not forced, so that pipes are written out. */
export const runProcess = async (world: OpenWorld = openWorld): Promise<void> => {
  process.exitCode = await main(process.argv.slice(2), processSystem(), world);
};

/** What a command came to, and all that it printed. */
export interface Collected {
  readonly status: number;
  readonly output: string;
}

/** A way to run commands one after the other in this process, for scripts that run many. */
export const openCollector = (): ((args: readonly string[]) => Promise<Collected>) => {
  let pieces: string[] = [];
  const system = collectingSystem((text) => pieces.push(text));
  return async (args) => {
    pieces = [];
    const status = await main(args, system, openWorld);
    return { status, output: pieces.join("") };
  };
};
