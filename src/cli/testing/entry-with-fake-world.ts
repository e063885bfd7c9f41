import type { Action } from "../../scenario/scenario.ts";
import { FakeWorld } from "../../scenario/testing/fake-world.ts";
import { type Outcome, SUCCESS, type World } from "../../scenario/world.ts";
import { runProcess } from "../entry.ts";

/** A world whose step named `slow` goes on until somebody interrupts it. */
const breathing = (world: FakeWorld, breathe: () => Promise<void>): World =>
  new Proxy<World>(world, {
    get: (target, name) => {
      if (name !== "perform") {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      }
      return async (action: Action): Promise<Outcome> => {
        if (action.kind !== "allocate" || action.name !== "slow") return world.perform(action);
        process.stderr.write("breathing\n");
        for (let i = 0; i < 1e9; i++) await breathe();
        return { status: SUCCESS, detail: "" };
      };
    },
  });

// The command line as a user runs it, on the stand-in world, for tests that need a process.
await runProcess(async (_name, { breathe }) => breathing(new FakeWorld(), breathe));
