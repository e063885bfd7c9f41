import { readSrat } from "../abi/acpi/srat.ts";
import { buildExpectations } from "./build-expectations.ts";
import { buildHost } from "./build-host.ts";
import { buildStep } from "./build-steps.ts";
import { checkFaults } from "./check-faults.ts";
import { checkFirmware } from "./check-firmware.ts";
import { checkMachine, type Refuse, refuserOf } from "./check-machine.ts";
import { checkSteps } from "./check-steps.ts";
import { suggest } from "./nearest-name.ts";
import { type Override, override } from "./override.ts";
import type { MachineSpec, Scenario, Srat, Step } from "./scenario.ts";
import { describe, oneLine, type Path, pathText, ScenarioError } from "./scenario-error.ts";
import { refusalsOf, wordIssue } from "./schema/refusal.ts";
import { type ScenarioDraft, scenarioSchema } from "./schema/scenario-schema.ts";
import { type PlacedData, readYaml, type Source } from "./yaml-tree.ts";

export interface LoadOptions {
  /** Name of the file for messages, as the user gave it. */
  readonly file: string;
  /** Names of the designs that exist. */
  readonly designs: readonly string[];
  /** Reads a file that the scenario names, relative to the scenario; throws if it cannot. */
  readonly readBytes: (path: string) => Uint8Array;
  /** Values that go over the scenario's own fields, in order. */
  readonly overrides?: readonly Override[];
}

/**
 * Reads, validates and completes a scenario.
 *
 * @throws ScenarioError for every mistake in `text` or in an override, with its place; nothing else
 */
export const loadScenario = (text: string, options: LoadOptions): Scenario => {
  const source = readYaml(text, options.file);
  if (source.data === null) {
    const advice = "see docs/scenarios.md";
    throw new ScenarioError(source.placeOf([]), "", {
      expected: "a scenario",
      found: "an empty file",
      advice,
    });
  }
  for (const one of options.overrides ?? []) override(source, one);
  const draft = validate(source);
  const refuse = refuserOf(source);
  checkDesigns(draft, options.designs, refuse);
  const scenario = build(draft, source, options, refuse);
  checkMachine(scenario.machine, refuse);
  checkFirmware(scenario.machine, refuse);
  checkSteps(scenario, refuse);
  checkFaults(scenario, (i) => faultPath(draft, i), refuse);
  return scenario;
};

const validate = (source: PlacedData): ScenarioDraft => {
  // A scenario is read once: to compile the schema for it took five times as long as to walk it.
  const result = scenarioSchema.safeParse(source.data, { error: wordIssue, jitless: true });
  if (result.success) return result.data;
  const refusals = refusalsOf(result.error.issues).map((refused) => {
    const place = refused.aboutKey ? source.placeOfKey(refused.path) : source.placeOf(refused.path);
    return { ...refused, place };
  });
  // A mistyped key often makes another one missing, so it is the more useful of the two to name.
  refusals.sort((a, b) => Number(b.aboutKey) - Number(a.aboutKey) || a.place.line - b.place.line);
  const first = refusals[0]!;
  const path = first.aboutKey ? first.path.slice(0, -1) : first.path;
  throw new ScenarioError(first.place, pathText(path), first.refusal);
};

const checkDesigns = ({ guest, steps }: ScenarioDraft, designs: readonly string[], refuse: Refuse): void => {
  const check = (name: string, path: Path): void => {
    if (designs.includes(name)) return;
    refuse(path, { expected: "a design", found: describe(name), advice: suggest(name, designs) });
  };
  check(guest.design, ["guest", "design"]);
  for (const [i, { kexec }] of steps.entries())
    if (kexec?.design) check(kexec.design, ["steps", i, "kexec", "design"]);
};

/** Where a fault stands: in the list that `faults` is, or in the list beside `swarm`. */
const faultPath = ({ faults }: ScenarioDraft, i: number): Path =>
  faults.isList ? ["faults", i] : ["faults", "list", i];

const build = (draft: ScenarioDraft, source: Source, options: LoadOptions, refuse: Refuse): Scenario => {
  const steps = draft.steps.map((step, i) => buildStep(step, ["steps", i], source));
  return {
    file: options.file,
    name: draft.name,
    title: draft.title,
    about: draft.about,
    machine: {
      ...buildMachine(draft.machine, steps, options, refuse),
      place: source.placeOfKey(["machine"]),
    },
    guest: draft.guest,
    vmm: draft.vmm,
    platform: draft.platform,
    seed: draft.seed,
    faults: draft.faults.list.map((fault, i) => ({ ...fault, place: source.placeOf(faultPath(draft, i)) })),
    swarm: draft.faults.swarm === null ? null : { ...draft.faults.swarm, place: source.placeOf(["faults"]) },
    steps,
    expect: draft.expect === "none" ? [] : buildExpectations(draft.expect, ["expect"], source),
    mustBreak: draft.invariants.broken.map((invariant, i) => ({
      invariant,
      place: source.placeOf(["invariants", "broken", i]),
    })),
  };
};

type MachineDraft = ScenarioDraft["machine"];

const buildMachine = (
  { host, firmware, ...draft }: MachineDraft,
  steps: readonly Step[],
  options: LoadOptions,
  refuse: Refuse,
): Omit<MachineSpec, "place"> => {
  const { sizes, count } = pluggedBy(steps);
  const devices = [...draft.dimms, ...draft.virtioMem].reduce((bytes, { size }) => bytes + size, 0);
  const srat = buildSrat(firmware.srat, options, refuse);
  return {
    ...draft,
    slots: draft.slots ?? draft.dimms.length + count,
    maxmem: draft.maxmem ?? draft.memory + devices + sizes,
    firmware: { ...firmware, srat },
    host: host === null ? null : buildHost(host, options.readBytes, refuse),
  };
};

/** What the steps plug: the sum of the sizes of all DIMMs by name, and how many names there are. */
const pluggedBy = (steps: readonly Step[]): { sizes: number; count: number } => {
  const sizeOf = new Map<string, number>();
  for (const step of steps) {
    for (const action of step.kind === "parallel" ? step.actions : [step]) {
      if (action.kind !== "plug") continue;
      sizeOf.set(action.dimm, Math.max(action.size, sizeOf.get(action.dimm) ?? 0));
    }
  }
  return { sizes: [...sizeOf.values()].reduce((sum, size) => sum + size, 0), count: sizeOf.size };
};

const LONGEST_SRAT = 2 ** 20;

type SratDraft = MachineDraft["firmware"]["srat"];

const buildSrat = (srat: SratDraft, options: LoadOptions, refuse: Refuse): Srat => {
  if (srat.kind === "none" || srat.kind === "generated") return { kind: srat.kind };
  const path = ["machine", "firmware", "srat", srat.kind];
  const bytes = srat.kind === "hex" ? hexBytes(srat.hex) : fileBytes(srat.file, options, refuse);
  if (bytes === undefined) {
    return refuse(path, { expected: "pairs of hexadecimal digits", found: "something else", advice: "" });
  }
  if (bytes.length > LONGEST_SRAT) {
    return refuse(path, { expected: "at most 1 MiB", found: `${bytes.length} bytes`, advice: "" });
  }
  if (srat.kind === "file") refuseBrokenTable(srat.file, bytes, path, refuse);
  return { kind: "bytes", from: srat.kind === "hex" ? "hex" : srat.file, bytes };
};

/** A file is meant to be a table. Bytes that are written out may be any: what becomes of a broken one can be played. */
const refuseBrokenTable = (file: string, bytes: Uint8Array, path: Path, refuse: Refuse): void => {
  const fault = readSrat(bytes).diagnoses.find(({ severity }) => severity === "error");
  if (fault === undefined) return;
  const expected = `${fault.expected} at byte ${fault.offset} of the SRAT ${describe(file)}`;
  const advice = "to play a broken table give its bytes as {hex: '...'}";
  refuse(path, { expected, found: fault.found, advice });
};

const fileBytes = (file: string, { readBytes }: LoadOptions, refuse: Refuse): Uint8Array => {
  try {
    return readBytes(file);
  } catch (cause) {
    const found = oneLine(cause instanceof Error ? cause.message : String(cause));
    const advice = "give a path relative to the scenario file";
    const path = ["machine", "firmware", "srat", "file"];
    return refuse(path, { expected: "a readable file", found, advice });
  }
};

const hexBytes = (hex: string): Uint8Array | undefined => {
  const digits = hex.replace(/\s+/g, "");
  if (!/^([0-9a-f]{2})+$/i.test(digits)) return undefined;
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
};
