import { status } from "../abi/tdx/status.ts";
import { MAX_CMRS } from "../abi/tdx/tdmr-info.ts";
import { checkApart, checkCmrs, checkMemory, type ReadRange } from "../tdx-host/check-ranges.ts";
import { HostInputError } from "../tdx-host/host-input-error.ts";
import { readHostLog } from "../tdx-host/host-log.ts";
import type { MemoryRange } from "../tdx-host/memory-range.ts";
import { readMetadataDump } from "../tdx-host/metadata-text.ts";
import type { Refuse } from "./check-machine.ts";
import type { Expectation } from "./expectation.ts";
import { HOST_FACTS, type HostFact, type HostSpec } from "./host-spec.ts";
import { oneLine, type Path } from "./scenario-error.ts";
import type { HostDraft, HostExpectDraft } from "./schema/host-schema.ts";

const MIB = 2 ** 20;
const LONGEST_FILE = 16 * MIB;
const PATH = ["machine", "host"];
/** Where `placed` says that a range was read. */
const FIELD = /^machine\.host\.(\w+)\[(\d+)\]$/;

type ReadBytes = (path: string) => Uint8Array;

const readText = (file: string, field: "log" | "metadata", readBytes: ReadBytes, refuse: Refuse): string => {
  const path = [...PATH, field];
  let bytes: Uint8Array;
  try {
    bytes = readBytes(file);
  } catch (cause) {
    const found = oneLine(cause instanceof Error ? cause.message : String(cause));
    const advice = "give a path relative to the scenario file";
    return refuse(path, { expected: "a readable file", found, advice });
  }
  if (bytes.length > LONGEST_FILE) {
    return refuse(path, { expected: "at most 16 MiB", found: `${bytes.length} bytes`, advice: "" });
  }
  return new TextDecoder().decode(bytes);
};

/** A contradiction names the file and line, or the field, where it was read. */
const asRefusal = <T>(path: Path, refuse: Refuse, read: () => T): T => {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof HostInputError)) throw error;
    const [, field, index] = FIELD.exec(error.where) ?? [];
    if (field !== undefined)
      return refuse([...PATH, field, Number(index)], {
        expected: error.expected,
        found: error.found,
        advice: "",
      });
    return refuse(path, {
      expected: "a host that does not contradict itself",
      found: oneLine(error.message),
      advice: "",
    });
  }
};

const placed = (ranges: HostDraft["memory"], field: string): (ReadRange & MemoryRange)[] =>
  ranges.map(({ at, size, node }, i) => ({
    start: at,
    end: at + size,
    node,
    where: `machine.host.${field}[${i}]`,
  }));

/** The host of a scenario, complete and free of contradictions. */
export const buildHost = (draft: HostDraft, readBytes: ReadBytes, refuse: Refuse): HostSpec => {
  const { log: logFile, metadata: dumpFile } = draft;
  const log =
    logFile === null
      ? undefined
      : asRefusal([...PATH, "log"], refuse, () =>
          readHostLog(readText(logFile, "log", readBytes, refuse), logFile),
        );
  const dump =
    dumpFile === null
      ? undefined
      : asRefusal([...PATH, "metadata"], refuse, () =>
          readMetadataDump(readText(dumpFile, "metadata", readBytes, refuse), dumpFile),
        );
  const own = placed(draft.memory, "memory");
  const cmrs = placed(draft.convertible, "convertible");
  const windows = placed(draft.secureWindows, "secureWindows");
  asRefusal(PATH, refuse, () => {
    checkMemory(own);
    checkCmrs(cmrs);
    checkMemory(windows);
  });
  const convertible = cmrs.length > 0 ? cmrs : (dump?.cmrs ?? log?.cmrs ?? []);
  const memory = own.length > 0 ? own : (log?.memory ?? []);
  checkWhole(draft, memory, refuse);
  if (convertible.length === 0) checkPieces(memory, refuse);
  asRefusal(PATH, refuse, () => checkApart(windows, memory));
  return {
    ...specOf(draft, log?.keyIds),
    memory,
    convertible: convertible.length > 0 ? convertible : aboveFirstMib(memory),
    maxTdmrs: dump?.maxTdmrs ?? draft.maxTdmrs,
    maxReserved: Math.min(16, dump?.maxReserved ?? draft.maxReserved),
  };
};

const aboveFirstMib = (memory: readonly MemoryRange[]): MemoryRange[] =>
  memory
    .map((range) => ({ ...range, start: Math.max(range.start, MIB) }))
    .filter(({ start, end }) => start < end);

/** Convertible ranges that nobody gave are made from the RAM, and a module tells of so many at most. */
const checkPieces = (memory: readonly MemoryRange[], refuse: Refuse): void => {
  const pieces = aboveFirstMib(memory).length;
  if (pieces <= MAX_CMRS) return;
  refuse([...PATH, "convertible"], {
    expected: `the convertible ranges, at most ${MAX_CMRS}, as the RAM above 1 MiB is in ${pieces} pieces`,
    found: "none",
    advice: "give them as firmware does: one range may span several pieces",
  });
};

const checkWhole = (draft: HostDraft, memory: readonly MemoryRange[], refuse: Refuse): void => {
  if (memory.length === 0) {
    const advice = "give `memory`, or a `log` that has the firmware's memory map";
    refuse([...PATH, "memory"], { expected: "RAM", found: "none", advice });
  }
  if (draft.processors % draft.packages !== 0) {
    const expected = `a multiple of ${draft.packages} packages`;
    refuse([...PATH, "processors"], { expected, found: `${draft.processors}`, advice: "" });
  }
  if (draft.firstKeyId >= draft.endKeyId) {
    const expected = `a key id below ${draft.endKeyId}`;
    refuse([...PATH, "firstKeyId"], { expected, found: `${draft.firstKeyId}`, advice: "" });
  }
};

const specOf = (
  draft: HostDraft,
  keyIds: HostSpec["keyIds"] | undefined,
): Omit<HostSpec, "memory" | "convertible" | "maxTdmrs" | "maxReserved"> => ({
  policy: {
    kernel: draft.kernel,
    holes: draft.holes,
    hotplugCheck: draft.hotplugCheck,
    dynamicPamt: draft.dynamicPamt,
  },
  processors: draft.processors,
  packages: draft.packages,
  blockSize: draft.blockSize,
  keyIds: keyIds ?? { first: draft.firstKeyId, end: draft.endKeyId },
  readsEarly: draft.readsEarly,
  secureWindows: draft.secureWindows.map(({ at, size, node }) => ({ start: at, end: at + size, node })),
  extensions: draft.extensions,
  refused: draft.refused.map(({ call, at, status: name }) => ({ leaf: call, at, status: status(name) })),
});

type PlaceAt = (...inner: Path) => Expectation["place"];

/** Expectations about the host, one for each fact named. */
export const buildHostExpectations = (draft: HostExpectDraft | undefined, place: PlaceAt): Expectation[] => {
  if (draft === undefined) return [];
  const { state, dmesg, ...facts } = draft;
  const found: Expectation[] = [];
  if (state !== undefined) found.push({ kind: "host-state", state, place: place("host", "state") });
  for (const [fact, test] of Object.entries(facts)) {
    if (test === undefined || !(fact in HOST_FACTS)) continue;
    found.push({ kind: "host-fact", fact: fact as HostFact, test, place: place("host", fact) });
  }
  for (const [i, line] of (dmesg ?? []).entries()) {
    found.push({ kind: "host-dmesg", line, place: place("host", "dmesg", i) });
  }
  return found;
};
