import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { kexecProgram } from "../agent/kexec-program.ts";
import { LabError } from "../lab-error.ts";
import { findBusybox, findQemu, qemuVersion } from "./host-programs.ts";
import type { RunProgram } from "./run-program.ts";

const scratch = mkdtempSync(join(tmpdir(), "tidemark-programs-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A folder for PATH with one program in it. */
const withProgram = (name: string, bytes: Uint8Array | string): { PATH: string } => {
  const folder = mkdtempSync(join(scratch, "path-"));
  writeFileSync(join(folder, name), bytes);
  chmodSync(join(folder, name), 0o755);
  return { PATH: folder };
};

const saying =
  (stdout: string): RunProgram =>
  () =>
    Promise.resolve({ status: 0, stdout, stderr: "" });

it("QEMU's version is read from what it prints", () => {
  expect(qemuVersion("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright")).toEqual([7, 2, 22]);
  expect(qemuVersion("QEMU emulator version 10.0\n")).toEqual([10, 0, 0]);
  expect(qemuVersion("something else 1.2.3")).toBeUndefined();
});

it("a QEMU from 7.2 on will do, an older one is refused with its version", async () => {
  const path = withProgram("qemu-system-x86_64", "");
  for (const version of ["7.2.0", "7.10.0", "8.0.0", "10.0.2"]) {
    expect(await findQemu(path, saying(`QEMU emulator version ${version}`))).toMatchObject({
      path: join(path.PATH, "qemu-system-x86_64"),
    });
  }
  for (const version of ["7.1.9", "6.9.0", "2.11.1"]) {
    const old = findQemu(path, saying(`QEMU emulator version ${version}`));
    await expect(old).rejects.toThrow(
      `7.2 or newer is needed, ${path.PATH}/qemu-system-x86_64 is ${version}`,
    );
  }
  await expect(findQemu(path, saying("nonsense\nmore"))).rejects.toThrow('says "nonsense"');
});

it.skipIf(process.platform === "win32")(
  "a QEMU that never says its version is not waited for, nor what it has started (POSIX)",
  async () => {
    const path = withProgram("qemu-system-x86_64", "#!/bin/sh\n/bin/sleep 30 &\nwait\n");
    const silent = findQemu(path, undefined, 200);
    await expect(silent).rejects.toThrow(LabError);
    await expect(silent).rejects.toThrow(
      /^[^\n]*qemu-system-x86_64 --version has said nothing for 0.2 s: [^\n]*apt-get install qemu-system-x86`$/,
    );
  },
);

it("without QEMU the message names the command that installs it", async () => {
  await expect(findQemu({ PATH: scratch })).rejects.toThrow(/^[^\n]*apt-get install qemu-system-x86`$/);
});

it("busybox has to be static, since the guest has no libraries", () => {
  const program = kexecProgram();
  expect(findBusybox(withProgram("busybox", program)).bytes).toEqual(Buffer.from(program));
  expect(() => findBusybox(withProgram("busybox", "#!/bin/sh\n"))).toThrow(
    /not statically linked.*busybox-static`$/,
  );
});
