import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { kexecProgram } from "../src/lab/agent/kexec-program.ts";

const SCRIPT = fileURLToPath(new URL("../scripts/setup-lab.mjs", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "tidemark-setup-lab-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

type Programs = { readonly [name: string]: string | Uint8Array };
const QUIET = "#!/bin/sh\n";
const READY: Programs = {
  "qemu-system-x86_64": "#!/bin/sh\necho QEMU emulator version 8.1.2\n",
  busybox: kexecProgram(),
  "qemu-img": QUIET,
  xz: QUIET,
  flock: QUIET,
  "dpkg-deb": QUIET,
};

/** A machine that has these programs and no others, and nothing in its cache. */
const machineWith = (programs: Programs): string => {
  const path = mkdtempSync(join(scratch, "path-"));
  for (const [name, contents] of Object.entries(programs)) {
    writeFileSync(join(path, name), contents);
    chmodSync(join(path, name), 0o755);
  }
  return path;
};

const setUpLab = (path: string, ...args: string[]) => {
  const env = { PATH: path, XDG_CACHE_HOME: join(path, "cache"), LOG: join(path, "log") };
  return spawnSync(process.execPath, [SCRIPT, ...args], { encoding: "utf8", env });
};

it("what is missing is named with Debian's names where there is no apt-get", () => {
  const { status, stderr } = setUpLab(machineWith({ xz: QUIET }));
  expect(stderr).toMatch(/^tidemark: needs qemu-system-x86, busybox-static, [^\n]* no apt-get[^\n]*\n$/);
  expect(status).toBe(3);
});

it("a line that is none is refused before anything is done", () => {
  const { status, stderr } = setUpLab(machineWith({}), "latest");
  expect([status, stderr]).toEqual([
    2,
    expect.stringMatching(/^tidemark: "latest" is no line of kernels[^\n]*\n$/),
  ]);
});

it("only what is missing is installed, by root, and a refusal of apt-get is passed on", () => {
  const apt = `#!/bin/sh\necho "$@" >>"$LOG"\n[ "$1" = update ] || { echo "E: Unable to locate package"; exit 100; }\n`;
  const { busybox: _, ...others } = READY;
  const path = machineWith({ ...others, "apt-get": apt });
  const { status, stderr } = setUpLab(path);
  expect(status).toBe(3);
  if (process.getuid?.() === 0) {
    expect(stderr).toMatch(/apt-get install failed: Unable to locate package\n$/);
    expect(readFileSync(join(path, "log"), "utf8")).toBe(
      "update -qq\ninstall -y -qq --no-install-recommends busybox-static\n",
    );
  } else {
    expect(stderr).toMatch(
      /needs root[^\n]*: sudo apt-get install --no-install-recommends busybox-static\n$/,
    );
    expect(existsSync(join(path, "log"))).toBe(false);
  }
});
