import { PAGE_SIZE, roundDown, roundUp } from "../units.ts";
import { checkCmrs, checkMemory, type ReadRange } from "./check-ranges.ts";
import { HostInputError } from "./host-input-error.ts";
import type { MemoryRange } from "./memory-range.ts";

/** What a host's kernel log tells about its memory and about TDX. */
export interface HostLog {
  /** RAM of the e820 map, all on node 0; empty without a map. */
  readonly memory: readonly MemoryRange[];
  readonly cmrs: readonly ReadRange[];
  /** First private key id and the one behind the last. */
  readonly keyIds: { readonly first: number; readonly end: number } | undefined;
  /** What the kernel of the log came to. */
  readonly pamtKb: number | undefined;
  readonly error: number | undefined;
  readonly isInitialized: boolean;
  /** Number of the first line of dots, behind which whoever posted the log left lines out; 0 if there is none. */
  readonly cutAt: number;
}

const E820 = /BIOS-e820: \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\]\s+(.+?)\s*$/i;
const CMR = /CMR: \[0x([0-9a-f]+), ?0x([0-9a-f]+)\)/i;
const KEY_IDS = /private KeyID range \[(\d+), ?(\d+)\)/;
const PAMT = /(\d+) KB allocated for PAMT/;
const FAILED = /module initialization failed \((-\d+)\)/i;
const INITIALIZED = /module initialized/i;
const CUT = /^\s*\.{3,}\s*$/;
const RAM_TYPES: ReadonlySet<string> = new Set(["usable", "System RAM"]);

/**
 * Reads the lines that matter out of a kernel log: the firmware's memory map, the convertible ranges (as kernels before 6.9 and
 * patched ones print them), key ids, and what became of the initialisation. All other lines are passed over.
 *
 * @param name of the file, for messages
 * @throws HostInputError for the first contradiction
 */
export const readHostLog = (text: string, name: string): HostLog => {
  const memory: ReadRange[] = [];
  const cmrs: ReadRange[] = [];
  const lines = text.split("\n");
  lines.forEach((line, index) => {
    const where = `${name}:${index + 1}`;
    const ram = E820.exec(line);
    if (ram !== null && RAM_TYPES.has(ram[3]!)) memory.push(...ramRange(ram, where));
    const cmr = CMR.exec(line);
    if (cmr !== null) cmrs.push({ start: address(cmr[1]!, where), end: address(cmr[2]!, where), where });
  });
  checkMemory(memory);
  checkCmrs(cmrs);
  const found = (pattern: RegExp): RegExpExecArray | undefined => {
    for (const line of lines) {
      const match = pattern.exec(line);
      if (match !== null) return match;
    }
    return undefined;
  };
  return {
    memory: memory.map(({ start, end }) => ({ start, end, node: 0 })),
    cmrs,
    keyIds: keyIdsOf(lines, name),
    pamtKb: numberOf(found(PAMT)),
    error: numberOf(found(FAILED)),
    isInitialized: found(INITIALIZED) !== undefined,
    cutAt: lines.findIndex((line) => CUT.test(line)) + 1,
  };
};

const MOST_KEY_IDS = 2 ** 15;

/** Private key ids: what is left of a power of two. @throws HostInputError for others */
const keyIdsOf = (lines: readonly string[], name: string): HostLog["keyIds"] => {
  const index = lines.findIndex((line) => KEY_IDS.test(line));
  const match = KEY_IDS.exec(lines[index] ?? "");
  if (match === null) return undefined;
  const [first, end] = [Number(match[1]), Number(match[2])];
  if (0 < first && first < end && end <= MOST_KEY_IDS && Number.isInteger(Math.log2(end)))
    return { first, end };
  const expected = `a range above 0 that ends at a power of two up to ${MOST_KEY_IDS}`;
  throw new HostInputError(`${name}:${index + 1}`, "private key ids", expected, `[${match[1]}, ${match[2]})`);
};

/** e820 ends are inclusive. memblock keeps whole pages only, so nothing of a range that holds none. */
const ramRange = ([, first, last]: RegExpExecArray, where: string): ReadRange[] => {
  const at = address(first!, where);
  const behind = address(last!, where) + 1;
  if (behind <= at)
    throw new HostInputError(where, "memory range", "an end above the start", `0x${first}-0x${last}`);
  const [start, end] = [roundUp(at, PAGE_SIZE), roundDown(behind, PAGE_SIZE)];
  return start < end ? [{ start, end, where }] : [];
};

const address = (digits: string, where: string): number => {
  const value = Number.parseInt(digits, 16);
  if (value < 2 ** 52) return value;
  throw new HostInputError(where, "address", "less than 0x10000000000000", `0x${digits}`);
};

const numberOf = (match: RegExpExecArray | undefined): number | undefined =>
  match === undefined ? undefined : Number(match[1]);
