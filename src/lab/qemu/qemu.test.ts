import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LabError } from "../lab-error.ts";
import { Connection } from "../wire/connection.ts";
import { Qemu } from "./qemu.ts";
import { WorkDirectory } from "./work-directory.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-test-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

it.skipIf(process.platform !== "linux")(
  "what QEMU makes, its sockets too, is for nobody else (Linux)",
  async () => {
    const file = join(folder, "made");
    const program = await Qemu.start(["-c", `: >${file}; echo "two words" >&2; exit 3`], "/bin/sh");
    expect(await program.ended).toEqual({ code: 3, signal: null, complaint: "two words" });
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
  },
);

it.skipIf(process.platform !== "linux")(
  "an attempt to reach what QEMU never makes ends with QEMU, and says how that ended (Linux)",
  async () => {
    const program = await Qemu.start(["-c", "echo nothing listens >&2; exit 3"], "/bin/sh");
    let until: AbortSignal | undefined;
    const reached = program.reach((signal) => {
      until = signal;
      return Connection.open("monitor", join(folder, "nobody"), { patienceMs: 600_000, signal });
    });
    await expect(reached).rejects.toThrow("QEMU ended with status 3: nothing listens");
    expect(until?.aborted).toBe(true);
  },
);

it("the work directory is private, and gone after it was closed", () => {
  vi.stubEnv("TMPDIR", folder);
  const work = new WorkDirectory();
  expect((statSync(work.path).mode & 0o777).toString(8)).toBe("700");
  expect((statSync(work.ramPath).mode & 0o777).toString(8)).toBe("700");
  work.close();
  expect(readdirSync(folder)).toEqual([]);
});

it("a folder whose path leaves no room for a socket is refused, and nothing is made there", () => {
  const most = 107 - "/tidemark-XXXXXX/console".length;
  const long = `/${"x".repeat(most)}`;
  vi.stubEnv("TMPDIR", long);
  const refused = () => new WorkDirectory();
  expect(refused).toThrow(LabError);
  expect(refused).toThrow(
    `${long} is too long for the sockets of a guest: expected at most ${most} bytes, found ${most + 1}; set TMPDIR`,
  );
});
