import { runProcess } from "../entry.ts";

// The command line as a user runs it, for tests that need a process.
await runProcess();
