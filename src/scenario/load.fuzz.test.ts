import fc from "fast-check";
import { expect, it } from "vitest";
import { stringify } from "yaml";
import { COUNTER_NAMES } from "./kernel-counters.ts";
import { loadScenario } from "./load.ts";
import { ScenarioError } from "./scenario-error.ts";

const options = {
  file: "fuzz.yaml",
  designs: ["none", "bitmaps"],
  readBytes: (): Uint8Array => {
    throw new Error("no such file");
  },
};

/** Loads, or fails with an error of the only allowed kind, placed and on one line. */
const loadsOrRefuses = (text: string, overrides: readonly string[] = []): void => {
  try {
    loadScenario(text, {
      ...options,
      overrides: overrides.map((assignment) => ({ assignment, option: `--set ${assignment}` })),
    });
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    expect(error.place.line).toBeGreaterThanOrEqual(1);
    expect(error.place.column).toBeGreaterThanOrEqual(1);
    expect(error.message).toMatch(/:\d+:\d+: .*expected .+, found ./u);
    expect(error.message).not.toMatch(/[\n\r]/);
  }
};

const keys = [
  ..."name title machine guest vmm steps expect invariants broken seed faults platform memory vcpus nodes".split(
    " ",
  ),
  ..."layout slots maxmem virtioMem dimms firmware srat file hex unaccepted id size blockSize at node".split(
    " ",
  ),
  ..."requestedSize boot reset plug unplug resize device to allocate free touch gpa read across online".split(
    " ",
  ),
  ..."offline block wait for timeout parallel note range bitmap setBits dmesg contains matches tdcalls".split(
    " ",
  ),
  ..."faults call answer late after times optional swarm list calls revert trylock".split(" "),
  ..."blocks states status kind order __proto__ constructor toString length".split(" "),
  ...COUNTER_NAMES.slice(0, 4),
];
const values = [
  ..."4G 512M 0 1 -1 0x180000000 boot reset idle 50s none all q35 tdx 7.3 lazy bitmaps on null ~ true".split(
    " ",
  ),
  ..."I1 vm0 '>= 1M' '0-3' .inf .nan 1e400 99999999999999999999 ''".split(" "),
];

const key = fc.constantFrom(...keys);
const value = fc.oneof(fc.constantFrom(...values), fc.string({ maxLength: 8 }));

it("text made of YAML's own pieces loads or is refused with a place", () => {
  const piece = fc.oneof(
    { weight: 4, arbitrary: key },
    { weight: 4, arbitrary: value },
    {
      weight: 8,
      arbitrary: fc.constantFrom(
        ...[
          ": ",
          "\n",
          "\n  ",
          "\n    ",
          "- ",
          "{",
          "}",
          "[",
          "]",
          ", ",
          "&a ",
          "*a",
          "!!str ",
          "| \n",
          "> \n",
        ],
        ...[
          "? ",
          "#",
          '"',
          "'",
          "---\n",
          "...\n",
          "%YAML 1.1\n",
          "<<: ",
          "\t",
          "\0",
          "\u2028",
          "\r",
          "@",
          "`",
        ],
      ),
    },
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      loadsOrRefuses(pieces.join(""));
    }),
    { numRuns: 2000 },
  );
});

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", maxDepth: 6 },
    fc.oneof(
      value,
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    ),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(key, tie("tree"), { maxKeys: 5 }),
  ),
}));

it("a random tree of known keys loads or is refused with a place", () => {
  const scenario = fc.record({
    name: fc.constant("fuzz"),
    machine: fc.oneof(tree, fc.constant({ memory: "4G" })),
    steps: fc.oneof(
      tree,
      fc.array(tree, { maxLength: 4 }).map((more) => ["boot", ...more]),
    ),
    expect: fc.oneof(tree, fc.constant({})),
  });
  fc.assert(
    fc.property(fc.oneof(tree, scenario), (data) => {
      loadsOrRefuses(stringify(data));
    }),
    { numRuns: 2000 },
  );
});

it("a random override loads or is refused with a place", () => {
  const path = fc.array(fc.oneof(key, fc.nat(3).map(String), fc.string({ maxLength: 4 })), { maxLength: 4 });
  fc.assert(
    fc.property(path, fc.oneof(value, fc.string()), (parts, written) => {
      loadsOrRefuses("name: s\nmachine: {memory: 4G}\nsteps: [boot]\n", [`${parts.join(".")}=${written}`]);
    }),
    { numRuns: 1000 },
  );
});

it("a well-formed random scenario loads", () => {
  const step = fc.constantFrom(
    "boot",
    { note: "n" },
    { pressure: { leave: "64M" } },
    { wait: "1s" },
    { allocate: { name: "a", size: "8M" } },
    { expect: { MemFree: ">= 1M" } },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), fc.nat(), (steps, seed) => {
      const text = stringify({ name: "s", seed, machine: { memory: "4G" }, steps });
      loadsOrRefuses(text);
    }),
    { numRuns: 300 },
  );
});

it("text that would end the parser's stack is refused", () => {
  for (const text of ["[".repeat(1e5), "- ".repeat(5e4), "{a: ".repeat(3e4), "? ".repeat(5e4)]) {
    expect(() => loadScenario(text, options)).toThrow(ScenarioError);
  }
});

it("aliases of aliases are refused before they fill memory", () => {
  const layers = Array.from(
    { length: 30 },
    (_, i) => `k${i}: &a${i} [${i === 0 ? "x" : `*a${i - 1}, *a${i - 1}`}]`,
  );
  expect(() => loadScenario(layers.join("\n"), options)).toThrow(ScenarioError);
});
