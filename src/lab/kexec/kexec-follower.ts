import { countSet } from "../../flat/bitmap.ts";
import { MIB, roundDown, roundUp } from "../../units.ts";
import type { CpuControl, StoppedCpu } from "../cpu/cpu-control.ts";
import { type Enforcer, GuestStopped, type OnViolation } from "../enforce/enforcer.ts";
import type { LabViolation } from "../enforce/violation.ts";
import type { Span } from "../span.ts";
import { placementOf } from "../td/bring-up.ts";
import type { GuestTable } from "../td/guest-table.ts";
import type { TdGuest } from "../td/td-guest.ts";
import { judgeDestinations, kernelSegment, lastJumpAt } from "./destinations.ts";
import { type KexecImage, readKexecImage } from "./kexec-image.ts";
import { judgeShared, sharedRam } from "./shared-ram.ts";

const UNIT = 2 * MIB;

/** A jump of the guest into another kernel, and what was seen of it. */
export interface Kexec {
  /** Where the segments went, and which of them holds the kernel. */
  readonly image: KexecImage;
  readonly kernelIndex: number;
  /** Bits that were set in the table at the jump; 0 without a table. */
  readonly unacceptedUnits: number;
  /** Bytes of the console's log when the next kernel was entered; undefined before that. */
  readonly consoleBytes: number | undefined;
}

export interface KexecParts {
  readonly td: TdGuest;
  readonly table: GuestTable | undefined;
  readonly enforcer: Enforcer;
  readonly policy: OnViolation;
  /** Brings what devices did up to date. */
  readonly sync: () => Promise<void>;
  /** Is told what the jump breaks. */
  readonly onViolations: (violations: readonly LabViolation[]) => void;
  /** Puts hooks into the next kernel, at whose entry the guest stands. */
  readonly onEntered: () => Promise<void>;
}

/**
 * Stays with a guest that starts another kernel by kexec, or a crash kernel after a panic, and makes that a TD where
 * the first one was made one: at its entry.
 *
 * The decompressor in between runs as that of the first kernel does, not knowing that it is in a TD. What it would have
 * accepted, the place that it unpacks the kernel to, is accepted for it when it is done.
 *
 * @missing another kernel image than the one the guest was booted with: its decompressor would have to be read first
 */
export class KexecFollower {
  /** Every jump so far. */
  readonly jumps: Kexec[] = [];
  private readonly parts: KexecParts;
  private readonly control: CpuControl;

  constructor(parts: KexecParts) {
    this.parts = parts;
    this.control = parts.td.control;
  }

  /** Bytes of the console's log that earlier kernels wrote. */
  get consoleStart(): number {
    return this.jumps.at(-1)?.consoleBytes ?? 0;
  }

  /** Hooks the jump of the kernel that runs now. The guest must stand still. No-op for one without kexec. */
  async install(): Promise<void> {
    const { kernel } = this.parts.td.options;
    const jump = kernel.symbol("machine_kexec");
    if (jump === undefined) return;
    await this.control.hook(jump + this.parts.td.place.slide, async (cpu) => {
      await this.leaving(cpu);
      return {};
    });
  }

  /** The kernel is about to copy the segments and jump. */
  private async leaving({ registers, gdb }: StoppedCpu): Promise<void> {
    const { td, table, enforcer, policy, sync, onViolations } = this.parts;
    const { kernel } = td.options;
    const read = (address: bigint, length: number): Promise<Uint8Array> => gdb.readMemory(address, length);
    const image = await readKexecImage(kernel.types(), read, registers.read("rdi"));
    await sync();
    // What was touched before is not the jump's.
    await enforcer.audit();
    table?.takeIn();
    const kernelIndex = kernelSegment(image.segments, kernel);
    const unacceptedUnits = table === undefined ? 0 : countSet(table.unaccepted, 0, table.units);
    this.jumps.push({ image, kernelIndex, unacceptedUnits, consoleBytes: undefined });
    const violations = judgeDestinations(image.segments, kernelIndex, { table, rights: td.rights });
    onViolations([...violations, ...this.stillShared()]);
    if (violations.length > 0 && policy === "stop") throw new GuestStopped(violations[0]!.why);
    if (policy === "accept") await this.acceptFor(violations.map(({ range }) => range));
    const stop = lastJumpAt(kernel, image.segments[kernelIndex]!.start);
    await this.control.hook(
      stop,
      async (cpu) => {
        await this.entering(cpu);
        return {};
      },
      true,
    );
  }

  private stillShared(): LabViolation[] {
    const { td } = this.parts;
    const said = td.qemu.consoleText().slice(this.consoleStart);
    return judgeShared(sharedRam(td.td.machine.vmm), said, { stateName: (gpa) => td.rights.stateName(gpa) });
  }

  /** The decompressor is about to jump into the next kernel. */
  private async entering({ registers }: StoppedCpu): Promise<void> {
    const { td, enforcer, onEntered } = this.parts;
    const { kernel } = td.options;
    const at = { entry: Number(registers.read("rax")), bootParams: Number(registers.read("r15")) };
    await this.control.unhookAll();
    await td.watch.disarm();
    const { physical } = placementOf(td.qemu.ram, kernel, at.entry);
    await this.acceptFor([{ start: physical, end: physical + kernel.initSize }]);
    await enforcer.audit("touched by kexec's copying or by the next kernel's decompressor");
    await td.enterAgain(at);
    const consoleBytes = td.qemu.consoleText().length;
    this.jumps.push({ ...this.jumps.pop()!, consoleBytes });
    await onEntered();
    await this.install();
  }

  /** Accepts whole units where the table or the secure EPT has not, and leaves their content. */
  private async acceptFor(ranges: readonly Span[]): Promise<void> {
    const { td, table } = this.parts;
    table?.takeIn();
    for (const range of ranges) {
      const unit = table?.unitSize ?? UNIT;
      const [start, end] = [roundDown(range.start, unit), roundUp(range.end, unit)];
      await td.acceptInUse(start, end);
      if (table === undefined) continue;
      const bit = (gpa: number): number =>
        Math.min(Math.max(Math.floor((gpa - table.physBase) / unit), 0), table.units);
      table.markAccepted(bit(start), bit(end));
    }
    table?.show();
  }
}
