import { FakeWorld } from "../../scenario/testing/fake-world.ts";
import { runProcess } from "../entry.ts";

// The command line as a user runs it, on the stand-in world, for tests that need a process.
await runProcess(async () => new FakeWorld());
