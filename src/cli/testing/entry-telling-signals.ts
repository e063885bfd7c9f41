import { runProcess } from "../entry.ts";

// The command line as a user runs it, which says when a signal would be heard.
process.on("newListener", (name) => {
  if (name === "SIGINT") process.stderr.write("listening\n");
});
await runProcess();
