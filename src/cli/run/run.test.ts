import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { AssertionError } from "../../assert.ts";
import { KernelFileError } from "../../lab/kernel-file-error.ts";
import { ProgramMissing } from "../../lab/kernel-package/run-program.ts";
import { NotModelled } from "../../not-modelled.ts";
import { reportSchema } from "../../scenario/report-schema.ts";
import { FakeWorld } from "../../scenario/testing/fake-world.ts";
import { WorldUnavailable } from "../../scenario/world.ts";
import { main } from "../main.ts";
import { type FakeSystem, fakeSystem } from "../testing/fake-system.ts";
import type { OpenWorld } from "../worlds.ts";

const HELD = "name: held\nmachine: {memory: 4G}\nsteps: [boot]\n";
const BROKEN = "name: broken\nmachine: {memory: 4G}\nsteps: [boot, {touch: {gpa: 5G}}]\n";
const UNMET = `${HELD}expect: {Unaccepted: 0}\n`;
const FILES = { "held.yaml": HELD, "broken.yaml": BROKEN, "unmet.yaml": UNMET };

const fake: OpenWorld = async () => new FakeWorld();

interface Result {
  readonly status: number;
  readonly system: FakeSystem;
}

const tidemark = async (line: string, system = fakeSystem(FILES), world = fake): Promise<Result> => {
  const args = line === "" ? [] : line.split(" ");
  return { status: await main(args, system, world), system };
};

/** Exit status, lines on standard error, and whether anything was on standard output. */
const told = async (line: string, system?: FakeSystem, world?: OpenWorld) => {
  const result = await tidemark(line, system, world);
  return [result.status, result.system.err(), result.system.out() === "" ? "silent" : "printed"];
};

describe("the exit status says how it went", () => {
  it("0: all held", async () => {
    const { status, system } = await tidemark("run held.yaml");
    expect([status, system.err()]).toEqual([0, ""]);
    expect(system.out()).toMatch(/^held {2}held\n/);
  });
  it("1: a violation or a failed expectation, named", async () => {
    const broken = await tidemark("run broken.yaml");
    expect([broken.status, broken.system.err()]).toEqual([1, ""]);
    expect(broken.system.out()).toContain("I1 broken");
    const unmet = await tidemark("run unmet.yaml");
    expect(unmet.status).toBe(1);
    expect(unmet.system.out()).toContain("line 4:10 Unaccepted = 0: expected 0, found 2072576 kB");
  });
  it("2: the input was wrong, one line", async () => {
    const system = fakeSystem({ "s.yaml": "name: s\nmachine: {memroy: 4G}\nsteps: [boot]\n" });
    expect(await told("run s.yaml", system)).toEqual([
      2,
      "s.yaml:2:11: machine: expected a key known here, found `memroy`; did you mean `memory`?\n",
      "silent",
    ]);
  });
  it("3: the world could not be run, one line", async () => {
    const unable: OpenWorld = async () => {
      throw new WorldUnavailable("QEMU is not installed: apt-get install qemu-system-x86");
    };
    expect(await told("run held.yaml", undefined, unable)).toEqual([
      3,
      "QEMU is not installed: apt-get install qemu-system-x86\n",
      "silent",
    ]);
  });
  it("2 and 3: no kernel where one was named, no machine to run it; one line each", async () => {
    const failing = (error: Error): OpenWorld => {
      return async () => {
        throw error;
      };
    };
    const noKernel = failing(new KernelFileError("cannot read the kernel image /k: ENOENT"));
    const linux = "run held.yaml --world linux --kernel /k";
    expect(await told(linux, undefined, noKernel)).toEqual([
      2,
      "cannot read the kernel image /k: ENOENT\n",
      "silent",
    ]);
    const noMachine = failing(new ProgramMissing("QEMU ended:\nno memory"));
    expect(await told(linux, undefined, noMachine)).toEqual([3, "QEMU ended: no memory\n", "silent"]);
  });
  it("3: the world does not model a step, and the line says which", async () => {
    class Partial extends FakeWorld {
      override perform(): never {
        throw new NotModelled("boot of a fake");
      }
    }
    expect(await told("run held.yaml", undefined, async () => new Partial())).toEqual([
      3,
      "held.yaml:3:9: the model world cannot play this: not modelled: boot of a fake\n",
      "silent",
    ]);
  });
  it("70: a defect of ours, one line, with details only on request", async () => {
    const faulty: OpenWorld = async () => {
      throw new AssertionError("broken rule: a page\nhas a state");
    };
    const line =
      "tidemark: internal error (AssertionError: broken rule: a page has a state); please report it with the scenario (TIDEMARK_DEBUG=1 shows where)\n";
    expect(await told("run held.yaml", undefined, faulty)).toEqual([70, line, "silent"]);
    const debug = fakeSystem(FILES, { env: { TIDEMARK_DEBUG: "1" } });
    const [, details] = await told("run held.yaml", debug, faulty);
    expect(details).toMatch(/\n {4}at /);
  });
});

describe("wrong use of the command line is one line and status 2", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["run", "tidemark: missing required argument 'file'; see tidemark --help\n"],
    ["rnu held.yaml", "tidemark: unknown command 'rnu' (Did you mean run?); see tidemark --help\n"],
    ["run held.yaml --jsn", "tidemark: unknown option '--jsn' (Did you mean --json?); see tidemark --help\n"],
    [
      "run held.yaml --world moon",
      "tidemark: option '--world <name>' argument 'moon' is invalid. Allowed choices are model, linux, both; see tidemark --help\n",
    ],
    [
      "run held.yaml unmet.yaml",
      "tidemark: too many arguments for 'run'. Expected 1 argument but got 2; see tidemark --help\n",
    ],
    [
      "run held.yaml --seed soon",
      '--seed soon:1:8: seed: expected a whole number from 0 to 9007199254740991, found "soon"\n',
    ],
    [
      "run held.yaml --design bitmap",
      '--design bitmap:1:10: guest.design: expected a design, found "bitmap"; did you mean `bitmaps`?\n',
    ],
    [
      "run held.yaml --set machine.memory=1",
      "--set machine.memory=1:1:22: machine.memory: expected at least 64M, found 1\n",
    ],
    [
      "run held.yaml --on-violation report",
      "--on-violation report: expected the linux world, found the model world; add --world linux\n",
    ],
    [
      "run held.yaml --world linux --modules /lib/modules",
      "--modules /lib/modules: expected the kernel they belong to, found none; add --kernel BZIMAGE\n",
    ],
    [
      "run held.yaml --world linux --enforce maybe",
      "tidemark: option '--enforce <how>' argument 'maybe' is invalid. Allowed choices are exact, audit; see tidemark --help\n",
    ],
    [
      "run held.yaml --html held.yaml",
      "--html held.yaml: expected a file of its own, found the scenario itself; name another file\n",
    ],
    [
      "run held.yaml --html out --trace ./out",
      "--html out: expected a file of its own, found the file of --trace; name another file\n",
    ],
    [
      "run held.yaml --trace /read-only/t",
      "--trace /read-only/t: expected a file that can be written, found one that may not be opened\n",
    ],
    [
      "run held.yaml --html /read-only/h",
      "--html /read-only/h: expected a file that can be written, found one that may not be opened\n",
    ],
  ];
  it.each(cases)("%s", async (line, message) => {
    expect(await told(line)).toEqual([2, message, "silent"]);
  });
  it("a file that is not there, with the bundled ones as a hint", async () => {
    const [status, message] = await told("run boot-lazi-4g");
    expect([status, message]).toEqual([
      2,
      "boot-lazi-4g: expected a scenario file, found one that is not there; did you mean `boot-lazy-4g`?\n",
    ]);
  });
});

it("help and version are asked for, not errors", async () => {
  const help = await tidemark("run --help");
  expect([help.status, help.system.err()]).toEqual([0, ""]);
  for (const option of ["--world", "--design", "--seed", "--set", "--json", "--trace", "--html"]) {
    expect(help.system.out()).toContain(option);
  }
  const version = await tidemark("--version");
  expect([version.status, version.system.out()]).toEqual([0, "0.1.0\n"]);
  const nothing = await tidemark("");
  expect([nothing.status, nothing.system.out()]).toEqual([2, ""]);
  expect(nothing.system.err()).toContain("Usage: tidemark");
});

it("the linux world is told its options, and what is left out is left to it", async () => {
  const asked: unknown[] = [];
  const world: OpenWorld = async (_name, { linux }) => {
    asked.push({ ...linux, kernel: { image: linux?.kernel?.image, modules: linux?.kernel?.modules } });
    return new FakeWorld();
  };
  const line =
    "--kernel k --modules m --on-violation accept --enforce audit --trap breakpoints --append nokaslr";
  await tidemark(`run held.yaml --world linux ${line}`, undefined, world);
  await tidemark("run held.yaml --world linux", undefined, world);
  expect(asked).toEqual([
    {
      kernel: { image: "k", modules: "m" },
      onViolation: "accept",
      enforcement: "audit",
      trap: "breakpoints",
      append: "nokaslr",
    },
    { kernel: { image: undefined, modules: undefined } },
  ]);
});

it("--json prints one document that follows its schema, and nothing else", async () => {
  const { system } = await tidemark("run broken.yaml --json --seed 7 --design bitmaps");
  const report = reportSchema.parse(JSON.parse(system.out()));
  expect([report.verdict, report.seed, report.design, report.world]).toEqual([
    "broken",
    7,
    "bitmaps",
    "model",
  ]);
  expect(report.violations[0]).toMatchObject({ invariant: "I1", line: 3 });
  expect(report.bitmaps).toMatchObject({ physBase: 2 ** 32, unitSize: 2 ** 21, sizeBytes: 640 });
  expect(report.cost.tdcalls?.["TDG.MEM.PAGE.ACCEPT"]).toBe(12);
});

it("--trace writes every machine step as a line of JSON", async () => {
  const { system } = await tidemark("run held.yaml --json --trace steps.jsonl");
  const lines = system.files.get("steps.jsonl")!.trimEnd().split("\n");
  const report = reportSchema.parse(JSON.parse(system.out()));
  expect(lines).toHaveLength(report.played[0]!.lastStep);
  expect(lines.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual(
    lines.map((_, i) => i + 1),
  );
});

it("--html writes a page", async () => {
  const { status, system } = await tidemark("run unmet.yaml --html page.html");
  expect([status, system.files.get("page.html")!.slice(0, 15)]).toEqual([1, "<!doctype html>"]);
});

it("--set changes fields, in order", async () => {
  const { system } = await tidemark("run held.yaml --json --set machine.memory=6G --set machine.memory=8G");
  expect(reportSchema.parse(JSON.parse(system.out())).setup.memory).toBe(2 ** 33);
});

it("- reads the scenario from standard input", async () => {
  const system = fakeSystem({}, { stdin: UNMET.replace("Unaccepted", "Unacepted") });
  expect((await told("run -", system))[1]).toMatch(/^standard input:4:10: /);
  const fine = fakeSystem({}, { stdin: HELD });
  expect((await tidemark("run -", fine)).status).toBe(0);
});

/** A SRAT without entries: signature, length 48, revision 1, the rest zero. */
const EMPTY_SRAT = `SRAT0\0\0\0\u0001${"\0".repeat(39)}`;

it("files that a scenario names lie beside it", async () => {
  const text = "name: s\nmachine:\n  memory: 4G\n  firmware: {srat: {file: ../srat.dat}}\nsteps: [boot]\n";
  const beside = fakeSystem({ "a/b/s.yaml": text, [resolve("a/srat.dat")]: EMPTY_SRAT });
  expect((await tidemark("run a/b/s.yaml", beside)).status).toBe(0);
  expect(await told("run a/b/s.yaml", fakeSystem({ "a/b/s.yaml": text }))).toEqual([
    2,
    'a/b/s.yaml:4:27: machine.firmware.srat.file: expected a readable file, found "../srat.dat" that is not there; give a path relative to the scenario file\n',
    "silent",
  ]);
});

it("colours a terminal, unless NO_COLOR or a dumb terminal asks for none", async () => {
  const coloured = async (env: { [name: string]: string }): Promise<boolean> => {
    const { system } = await tidemark("run held.yaml", fakeSystem(FILES, { env, terminal: 80 }));
    return system.out().includes("\u001b[");
  };
  expect(await coloured({})).toBe(true);
  expect(await coloured({ NO_COLOR: "1" })).toBe(false);
  expect(await coloured({ TERM: "dumb" })).toBe(false);
  expect((await tidemark("run held.yaml")).system.out()).not.toContain("\u001b[");
});

it("draws with ASCII unless the locale is UTF-8", async () => {
  const drawn = async (env: { [name: string]: string }): Promise<string> =>
    (await tidemark("run held.yaml", fakeSystem(FILES, { env }))).system.out();
  expect(await drawn({ LANG: "C.UTF-8" })).toContain("█");
  expect(await drawn({ LANG: "en_US.utf8", LC_ALL: "C" })).not.toContain("█");
  expect(await drawn({})).not.toContain("█");
});
