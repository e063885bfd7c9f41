import type { UnacceptedTable } from "../../linux/unaccepted-table.ts";
import { PAGE_SIZE, roundUp } from "../../units.ts";
import type { PageRights } from "../enforce/page-rights.ts";
import type { LabViolation } from "../enforce/violation.ts";
import { LabError } from "../lab-error.ts";
import type { Span } from "../span.ts";
import type { GuestKernel } from "../td/guest-kernel.ts";

const KIB = 1024;

/** What is known of the acceptance of memory, by the kernel's table and by hardware. */
export interface Acceptance {
  /** As last taken in; undefined if the guest has none. */
  readonly table: UnacceptedTable | undefined;
  readonly rights: Pick<PageRights, "mayTouch" | "stateName" | "isPlugged">;
}

/** Which of several segments holds a kernel: it alone is as long as that kernel needs to unpack itself. */
export const kernelSegment = (segments: readonly Span[], kernel: Pick<GuestKernel, "initSize">): number => {
  const size = roundUp(kernel.initSize, PAGE_SIZE);
  const index = segments.findIndex(({ start, end }) => end - start === size);
  if (index >= 0) return index;
  const found = segments.map(({ start, end }) => `0x${(end - start).toString(16)}`).join(", ");
  throw new LabError(
    `kexec: expected a segment of 0x${size.toString(16)} bytes for the kernel that was booted, found ${found}; ` +
      "load the same kernel",
  );
};

/**
 * Where a kernel's decompressor will jump into the kernel, if it is loaded at `start`: it counts from its own start,
 * rounded up, but never from below the address it is linked for.
 *
 * @source Linux arch/x86/boot/compressed/head_64.S, startup_64
 */
export const lastJumpAt = (
  kernel: Pick<GuestKernel, "alignment" | "preferred" | "lastJump">,
  start: number,
): bigint => {
  const base = Math.max(roundUp(start, kernel.alignment), kernel.preferred);
  return kernel.lastJump + BigInt(base - kernel.preferred);
};

/** Whether the table calls the unit of a page unaccepted. */
const isUnaccepted = (table: UnacceptedTable | undefined, gpa: number): boolean => {
  if (table === undefined || gpa < table.physBase || gpa >= table.end) return false;
  const bit = Math.floor((gpa - table.physBase) / table.unitSize);
  const { unaccepted, plugged } = table;
  const visible = plugged === undefined ? 0xff : plugged[bit >> 3]!;
  return ((unaccepted[bit >> 3]! & visible) >> (bit & 7)) % 2 === 1;
};

/** A run of pages about which table and hardware say the same. */
interface Finding extends Span {
  readonly byTable: boolean;
  readonly byHardware: boolean;
}

const findingsIn = ({ start, end }: Span, { table, rights }: Acceptance): Finding[] => {
  const found: Finding[] = [];
  for (let at = start; at < end; at += PAGE_SIZE) {
    const byTable = isUnaccepted(table, at);
    const byHardware = !rights.mayTouch(at);
    if (!byTable && !byHardware) continue;
    const last = found.at(-1);
    if (last?.end === at && last.byTable === byTable && last.byHardware === byHardware)
      found[found.length - 1] = { ...last, end: at + PAGE_SIZE };
    else found.push({ start: at, end: at + PAGE_SIZE, byTable, byHardware });
  }
  return found;
};

const hex = (n: number): string => `0x${n.toString(16)}`;

const verdict = ({ start, byTable, byHardware }: Finding, { rights }: Acceptance): string => {
  const state = rights.stateName(start);
  if (!byTable) return `the secure EPT has not accepted, though the table says so: its entry is ${state}`;
  return byHardware
    ? `neither table nor secure EPT have accepted: its entry is ${state}`
    : `the table calls unaccepted, though the secure EPT has accepted it: the next kernel will accept it again`;
};

/**
 * What of the segments' destinations is not accepted. I41: a kexec destination page is accepted before the copy.
 *
 * @param kernelIndex which segment holds the kernel
 */
export const judgeDestinations = (
  segments: readonly Span[],
  kernelIndex: number,
  acceptance: Acceptance,
): LabViolation[] =>
  segments.flatMap((segment, index) => {
    const name = `segment ${index} of kexec${index === kernelIndex ? " (the kernel)" : ""}`;
    return findingsIn(segment, acceptance).map((found): LabViolation => {
      const size = `${(found.end - found.start) / KIB} KiB`;
      return {
        invariant: "I41",
        range: { start: found.start, end: found.end },
        why: `${name}, ${hex(segment.start)}-${hex(segment.end)}, goes to memory that is not accepted: ${size} that ${verdict(found, acceptance)}`,
        place: undefined,
        vcpu: undefined,
        septState: acceptance.rights.stateName(found.start),
        plugged: acceptance.rights.isPlugged(found.start),
      };
    });
  });
