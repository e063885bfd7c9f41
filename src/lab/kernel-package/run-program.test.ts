import { expect, it } from "vitest";
import { LabError } from "../lab-error.ts";
import { ProgramMissing, runProgram } from "./run-program.ts";

it("a program's status and both outputs are kept, in the C locale and without input", async () => {
  const script =
    "process.stdout.write(process.env.LC_ALL); process.stderr.write('e'); process.stdin.on('end', () => process.exit(3)).resume()";
  expect(await runProgram(process.execPath, ["-e", script])).toEqual({ status: 3, stdout: "C", stderr: "e" });
});

it("a program that is not there is named", async () => {
  await expect(runProgram("tidemark-no-such-program", [])).rejects.toThrow(ProgramMissing);
  await expect(runProgram("tidemark-no-such-program", [])).rejects.toThrow(
    "cannot start tidemark-no-such-program (ENOENT)",
  );
});

it("a signal ends the program, and that is no missing program", async () => {
  const stop = new AbortController();
  const running = runProgram(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
    signal: stop.signal,
  });
  stop.abort();
  await expect(running).rejects.toThrow(LabError);
  await expect(running).rejects.toThrow(/ was stopped$/);
});
