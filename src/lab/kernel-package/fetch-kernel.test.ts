import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { LabError } from "../lab-error.ts";
import { aptReason } from "./apt-workspace.ts";
import { fetchKernel } from "./fetch-kernel.ts";
import { type Outcome, ProgramMissing, type RunProgram } from "./run-program.ts";

const scratch = mkdtempSync(join(tmpdir(), "tidemark-fetch-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const RELEASE = "6.12.117+deb12-cloud-amd64";
const NAME = `linux-image-${RELEASE}-unsigned`;
const VERSION = "6.12.117-1~deb12u1";
const ok = (stdout = ""): Outcome => ({ status: 0, stdout, stderr: "" });

/** A Debian whose programs are played. @param fails the program and its first argument that fails, with its words */
const played =
  (calls: string[][], fails?: { call: string; stderr: string }): RunProgram =>
  (file, args, options) => {
    const words = args[0] === "-c" ? args.slice(2) : args;
    const call = `${file} ${words[0]}`;
    calls.push([file, ...words]);
    if (call === fails?.call) return Promise.resolve({ status: 100, stdout: "", stderr: fails.stderr });
    if (call === "apt-cache dumpavail") return Promise.resolve(ok(`Package: ${NAME}\nVersion: ${VERSION}\n`));
    if (call === "apt-get download") writeFileSync(join(options?.folder ?? "", "kernel.deb"), "");
    if (call === "dpkg-deb -x") {
      const tree = words[2] ?? "";
      mkdirSync(join(tree, "boot"), { recursive: true });
      mkdirSync(join(tree, "usr/share/doc"), { recursive: true });
      mkdirSync(join(tree, "lib/modules", RELEASE, "kernel"), { recursive: true });
      writeFileSync(join(tree, "boot", `vmlinuz-${RELEASE}`), "");
    }
    return Promise.resolve(ok());
  };

const source = {
  uri: "http://mirror.example/debian",
  suites: ["bookworm"],
  components: ["main"],
  signedBy: undefined,
};
const fetched = (cache: string, run: RunProgram, line = "6.12") =>
  fetchKernel({ line, cache, sources: [source], keyring: "/keys.gpg", run });
const cacheFolder = (): string => mkdtempSync(join(scratch, "cache-"));

it("a machine without apt is told so, and what to do instead", async () => {
  const refused = fetched(cacheFolder(), () =>
    Promise.reject(new ProgramMissing("cannot start apt-get (ENOENT)")),
  );
  await expect(refused).rejects.toThrow(
    "no kernel to run, and cannot start apt-get (ENOENT) to fetch one; pass a kernel of your own with --kernel BZIMAGE",
  );
});

it("a kernel is fetched from the machine's own hosts, unpacked, and everything else removed", async () => {
  const cache = cacheFolder();
  const calls: string[][] = [];
  const files: string[] = [];
  const run: RunProgram = (file, args, options) => {
    if (args[2] === "update") {
      const settings = readFileSync(args[1] ?? "", "utf8");
      files.push(readFileSync(/sourcelist "(.*)"/.exec(settings)?.[1] ?? "", "utf8"));
    }
    return played(calls, undefined)(file, args, options);
  };
  const kernel = await fetched(cache, run);
  const root = join(cache, "kernels", `${NAME}_${VERSION}`);
  expect(kernel).toEqual({
    release: RELEASE,
    image: join(root, "boot", `vmlinuz-${RELEASE}`),
    modules: join(root, "lib/modules", RELEASE),
  });
  expect(files[0]).toContain("URIs: http://mirror.example/debian\n");
  expect(files[0]).toContain("Signed-By: /keys.gpg\n");
  expect(calls.map(([file, verb]) => `${file} ${verb}`)).toEqual([
    "apt-get update",
    "apt-cache dumpavail",
    "apt-get download",
    "dpkg-deb -x",
  ]);
  expect(calls[2]?.at(-1)).toBe(`${NAME}=${VERSION}`);
  expect(readdirSync(cache).sort()).toEqual(["fetch.lock", "kernels"]);
  expect(readdirSync(root).sort()).toEqual(["boot", "lib", "usr"]);
  expect(readdirSync(join(root, "usr"))).toEqual([]);
});

it("of two at once the second finds what the first fetched", async () => {
  const cache = cacheFolder();
  const calls: string[][] = [];
  const both = await Promise.all([fetched(cache, played(calls)), fetched(cache, played(calls))]);
  expect(both[0]).toEqual(both[1]);
  expect(calls.filter(([, verb]) => verb === "download")).toHaveLength(1);
});

it.each([
  ["apt-get download", "E: Failed to fetch http://mirror.example/a.deb  404  Not Found\n", /404/],
  [
    "dpkg-deb -x",
    "dpkg-deb: error: not a Debian archive\n",
    /cannot unpack kernel.deb: .*not a Debian archive/,
  ],
  ["apt-cache dumpavail", "", /cannot fetch a 6.12 cloud kernel: Debian has none; pass .*--kernel/],
])("when %s fails the message is one line, and nothing is left", async (call, stderr, message) => {
  const cache = cacheFolder();
  const failing = fetched(cache, played([], { call, stderr }));
  await expect(failing).rejects.toThrow(message);
  await expect(failing).rejects.toThrow(LabError);
  await expect(failing).rejects.toThrow(/^[^\n]*$/);
  expect(readdirSync(cache).sort()).toEqual(["fetch.lock", "kernels"]);
  expect(readdirSync(join(cache, "kernels"))).toEqual([]);
});

it("what a killed process left is removed by the next", async () => {
  const cache = cacheFolder();
  mkdirSync(join(cache, "fetch-abcdef", "apt"), { recursive: true });
  await fetched(cache, played([]));
  expect(readdirSync(cache).sort()).toEqual(["fetch.lock", "kernels"]);
});

it("a cache that cannot be written is told in one line", async () => {
  const file = join(cacheFolder(), "a-file");
  writeFileSync(file, "");
  const failing = fetched(file, played([]));
  await expect(failing).rejects.toThrow(LabError);
  await expect(failing).rejects.toThrow(
    /^cannot keep a kernel in .*: ENOTDIR; set XDG_CACHE_HOME .* --kernel BZIMAGE$/,
  );
});

it("a line that Debian does not have is told with those that it has", async () => {
  await expect(fetched(cacheFolder(), played([]), "7.9")).rejects.toThrow(
    /^cannot fetch a 7.9 cloud kernel: Debian has 6.12; pass a kernel of your own with --kernel BZIMAGE$/,
  );
});

it("a machine without a Debian archive is told so", async () => {
  const options = { line: "6.12", cache: cacheFolder(), keyring: "", run: played([]) };
  await expect(fetchKernel({ ...options, sources: [] })).rejects.toThrow(
    /no Debian archive.*--kernel BZIMAGE$/,
  );
});

it("of apt's complaints the one that tells most is passed on; a suite that is not there is none", () => {
  const offline =
    "W: Failed to fetch http://mirror.example/InRelease  Could not resolve 'mirror.example'\nW: Some index files failed to download.\n";
  expect(aptReason(offline)).toBe(
    "Failed to fetch http://mirror.example/InRelease  Could not resolve 'mirror.example'",
  );
  expect(
    aptReason("E: The repository 'http://mirror.example x Release' does not have a Release file.\n"),
  ).toBe("");
  expect(aptReason("")).toBe("");
});
