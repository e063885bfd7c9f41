import { NotModelled } from "../../not-modelled.ts";
import { MIB, PAGE_SIZE, roundDown, roundUp } from "../../units.ts";
import type { CpuControl, CpuInKernel } from "../cpu/cpu-control.ts";
import type { GuestRam } from "../guest-ram/guest-ram.ts";
import type { Span } from "../span.ts";
import { auditPages, populated } from "./audit.ts";
import type { DirectMapWatch } from "./direct-map-watch.ts";
import type { PageRights } from "./page-rights.ts";
import { RangeSet } from "./range-set.ts";
import type { CodePlace, LabViolation } from "./violation.ts";

const UNIT = 2 * MIB;
/** Those that an instruction may address memory by. */
const POINTERS = [
  ...["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"],
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
] as const;

/** What becomes of a guest that touched memory it may not touch: it ends as on hardware, goes on, or is helped. */
export const ON_VIOLATION = ["stop", "report", "accept"] as const;
export type OnViolation = (typeof ON_VIOLATION)[number];

/** The guest broke a rule that hardware does not let it survive. The guest stands still. */
export class GuestStopped extends Error {
  override name = "GuestStopped";
}

export interface EnforcerParts {
  readonly control: CpuControl;
  readonly watch: DirectMapWatch;
  readonly rights: PageRights;
  readonly ram: GuestRam;
  readonly policy: OnViolation;
  /** Brings what devices did up to date. */
  readonly sync: () => void | Promise<void>;
  /** Where a stopped CPU is in the kernel. */
  readonly placeOf: (cpu: CpuInKernel) => Promise<CodePlace>;
  /** Whether a design has taken a page out of the direct map, so that on its own kernel the access would fault. */
  readonly isHidden: (gpa: number) => boolean;
  /** Accepts whole units for the guest, which goes on with what it has written there. */
  readonly accept: (start: number, end: number) => Promise<void>;
}

/** Sees accesses to memory that is not plugged and accepted, and says what hardware would have done. */
export class Enforcer {
  readonly violations: LabViolation[] = [];
  private readonly parts: EnforcerParts;
  /** Units that were told of already. */
  private readonly known = new RangeSet();

  constructor(parts: EnforcerParts) {
    this.parts = parts;
    parts.control.onWatch = (cpu, address) => this.touched(cpu, address);
  }

  /** A CPU touched a watched range: the access has been done, so its page exists now. */
  private async touched(cpu: CpuInKernel, address: bigint): Promise<void> {
    const { watch, sync } = this.parts;
    await sync();
    const range = watch.rangeAt(address);
    if (range === undefined) return;
    const pages = await this.forbiddenPages([range]);
    // A page of a unit that the guest is still accepting page by page.
    if (pages.length === 0 && (await watch.giveParts(range))) return;
    const found = pages.length > 0 ? pages : this.pagesNamed(cpu, range);
    await this.caught(cpu, found.length > 0 ? found : [range]);
  }

  /**
   * Pages of a watched range that registers point to, ascending. A stop names a range and no page; where the access made
   * none, the rest of the range must stay watched.
   */
  private pagesNamed({ registers }: CpuInKernel, { start, end }: Span): Span[] {
    const { watch, rights } = this.parts;
    const named = new RangeSet();
    for (const name of POINTERS) {
      const gpa = watch.gpaOf(registers.read(name));
      if (gpa === undefined || gpa < start || end <= gpa) continue;
      const page = roundDown(gpa, PAGE_SIZE);
      if (!this.known.has(page) && !rights.mayTouch(page)) named.add(page, page + PAGE_SIZE);
    }
    return [...named.ranges];
  }

  /**
   * A CPU is about to touch a page that the direct mapping lacks. The guest stands still.
   *
   * @param address virtual
   * @returns whether the access can be made now; false if the fault is the kernel's own
   */
  async faulted(cpu: CpuInKernel, address: bigint): Promise<boolean> {
    const { watch, sync } = this.parts;
    await sync();
    const gpa = watch.absentAt(address);
    if (gpa === undefined) return false;
    if (await watch.givePart(gpa)) return true;
    const start = roundDown(gpa, PAGE_SIZE);
    await this.caught(cpu, [{ start, end: start + PAGE_SIZE }]);
    return true;
  }

  /** @param found what was touched, or is about to be */
  private async caught(cpu: CpuInKernel, found: readonly Span[]): Promise<void> {
    const { watch, placeOf, policy, isHidden } = this.parts;
    const place = await placeOf(cpu);
    const first = found[0]!;
    if (isHidden(first.start))
      throw new NotModelled(
        `${place.symbol} at 0x${first.start.toString(16)}, which the design has taken out of the direct map, in the linux world`,
      );
    // A stop may find several pages of one unit, which is told of once. An audit tells of all.
    for (const span of found)
      if (span === first || !this.known.has(span.start)) this.record(span, place, cpu.vcpu);
    if (policy === "stop") throw new GuestStopped(this.violations.at(-1)!.why);
    for (const { start, end } of found) await this.forgive(start, end);
    await watch.allowNow(roundDown(first.start, UNIT), roundUp(first.start + 1, UNIT));
  }

  /** Looks at all pages that exist. @param who touched those that are new @returns what was not known before */
  async audit(who = "somebody touched it"): Promise<readonly LabViolation[]> {
    const before = this.violations.length;
    await this.parts.sync();
    for (const span of await this.forbiddenPages(undefined)) this.record(span, undefined, undefined, who);
    return this.violations.slice(before);
  }

  /** Pages that exist, that the guest may not touch, and that were not told of, in some ranges or everywhere. */
  private async forbiddenPages(within: readonly Span[] | undefined): Promise<Span[]> {
    const { ram, rights } = this.parts;
    const pages = await populated(ram);
    const inside = within === undefined ? pages : cut(pages, within);
    return auditPages(inside, (gpa) => this.known.has(gpa) || rights.mayTouch(gpa));
  }

  private record(range: Span, place: CodePlace | undefined, vcpu: number | undefined, unseen = ""): void {
    const { rights } = this.parts;
    const septState = rights.stateName(range.start);
    const plugged = rights.isPlugged(range.start);
    const state = `${plugged ? "plugged" : "not plugged"}, its secure-EPT entry is ${septState}`;
    const who = place === undefined ? unseen : `touched by ${place.symbol}`;
    this.violations.push({
      invariant: "I1",
      range,
      why: `${who}: ${state}`,
      place,
      vcpu,
      septState,
      plugged,
    });
    this.known.add(roundDown(range.start, UNIT), roundUp(range.end, UNIT));
  }

  /** The guest goes on with memory that it may not use, or as if it had accepted it. */
  private async forgive(start: number, end: number): Promise<void> {
    const { watch, policy, accept, rights } = this.parts;
    const [from, to] = [roundDown(start, UNIT), roundUp(end, UNIT)];
    if (policy === "accept" && rights.isPlugged(start)) await accept(from, to);
    await watch.allowNow(from, to);
  }
}

/** The parts of `spans` that lie in `within`. */
const cut = (spans: readonly Span[], within: readonly Span[]): Span[] =>
  spans.flatMap((span) =>
    within.flatMap((limit) => {
      const start = Math.max(span.start, limit.start);
      const end = Math.min(span.end, limit.end);
      return start < end ? [{ start, end }] : [];
    }),
  );
