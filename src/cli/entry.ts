import { main } from "./main.ts";
import { processSystem } from "./system.ts";
import { type OpenWorld, openWorld } from "./worlds.ts";

/** Runs the command of this process. The exit status is set, not forced, so that pipes are written out. */
export const runProcess = async (world: OpenWorld = openWorld): Promise<void> => {
  process.exitCode = await main(process.argv.slice(2), processSystem(), world);
};
