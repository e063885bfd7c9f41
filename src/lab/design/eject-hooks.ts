import { OST_EJECT_STATUS, OST_EVENT } from "../../abi/acpi/ost.ts";
import type { FaultPoints } from "../../machine/faults/fault-points.ts";
import type { StoppedCpu } from "../cpu/cpu-control.ts";
import type { KernelSleep } from "../faults/kernel-sleep.ts";
import { withLateness } from "../faults/lateness.ts";
import { LabError } from "../lab-error.ts";
import type { Span } from "../span.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";
import type { DesignHost } from "./design-host.ts";
import { Call, type Hooking } from "./kernel-hooks.ts";

const EJECT = "acpi_evaluate_ej0";
const TELL = "acpi_evaluate_ost";
/** What the method that ejects answers. @source ACPICA, acexcep.h */
const AE = { OK: 0, ERROR: 1 } as const;
const EJECTS: readonly number[] = [OST_EVENT.EJECT_REQUEST, OST_EVENT.OSPM_EJECT];

export interface EjectHooksParts {
  readonly control: Hooking;
  readonly host: Pick<DesignHost, "design" | "run" | "holds">;
  /** Where the memory of a DIMM's slot lies; undefined if no DIMM is there. */
  readonly spanOf: (slot: number) => Span | undefined;
  /** Whether the VMM cannot take this memory, because the guest has not released all of it. */
  readonly isHeld: (span: Span) => boolean;
  /** Is told of a DIMM that stays in its slot for that. */
  readonly onHeld: (span: Span) => void;
  /** Number of the DIMM's slot that an ACPI handle is for; -1 if it is for another device. */
  readonly slotOf: (cpu: StoppedCpu, handle: bigint) => Promise<number>;
  /** Does to the guest's memory what the design's page calls mean for it. The guest stands still. */
  readonly afterHook: () => Promise<void>;
  readonly points?: Pick<FaultPoints, "plan" | "struck"> | undefined;
  readonly sleep?: KernelSleep | undefined;
}

/**
 * What stands between a kernel that ejects a DIMM and QEMU, which would take it: a design that holds the DIMM, and the VMM of a TD,
 * which takes no memory that the TD has to release first.
 */
export class EjectHooks {
  private readonly parts: EjectHooksParts;
  /** Slots whose eject the design refused, until the kernel tells of it. */
  private readonly refused = new Set<number>();

  constructor(parts: EjectHooksParts) {
    this.parts = parts;
  }

  /**
   * The design's part. The guest must stand still.
   *
   * @param symbol address of a function in the running kernel
   * @throws LabError if the kernel lacks a function that the design needs
   */
  async installGuard(symbol: (name: string) => bigint | undefined): Promise<void> {
    const { control, host } = this.parts;
    if (host.design.ejectGuard === undefined) return;
    const address = (name: string): bigint => {
      const found = symbol(name);
      if (found !== undefined) return found;
      throw new LabError(
        `design ${host.design.name}: expected a function ${name} in the kernel to hook, found none; use --design none`,
      );
    };
    await control.hook(address(EJECT), (cpu) => this.guard(new Call(cpu, control)));
    await control.hook(address(TELL), (cpu) => this.told(new Call(cpu, control)));
  }

  /** The VMM's part, behind all others. A kernel that has no such function ejects nothing. The guest must stand still. */
  async installVmm(symbol: (name: string) => bigint | undefined): Promise<void> {
    const { control, isHeld, onHeld } = this.parts;
    const address = symbol(EJECT);
    if (address === undefined) return;
    await control.hook(address, async (cpu) => {
      const call = new Call(cpu, control);
      const span = this.parts.spanOf(await this.slotOf(call));
      if (span === undefined || !isHeld(span)) return {};
      onHeld(span);
      // The method runs, and the DIMM is still there.
      return call.skip(AE.OK);
    });
  }

  private slotOf(call: Call): Promise<number> {
    return this.parts.slotOf(call.cpu, call.argument(0));
  }

  /** acpi_evaluate_ej0(handle): a design that holds the memory tries again, and keeps the DIMM if that fails. */
  private async guard(call: Call): Promise<RegisterValues> {
    const { host, spanOf, points, sleep, afterHook } = this.parts;
    const slot = await this.slotOf(call);
    const span = spanOf(slot);
    const size = span === undefined ? 0 : span.end - span.start;
    if (span === undefined || !host.holds(span.start, size)) return {};
    const { tryAgain } = host.design.ejectGuard!;
    const { result, lateNs } = withLateness(points, () =>
      host.run(tryAgain, call.cpu.vcpu, span.start, size),
    );
    await afterHook();
    if (result < 0) this.refused.add(slot);
    const change = result < 0 ? await call.skip(AE.ERROR) : undefined;
    if (lateNs === 0) return change ?? {};
    return this.late(call.cpu, sleep!, lateNs, change);
  }

  private late(
    cpu: StoppedCpu,
    sleep: KernelSleep,
    lateNs: number,
    change: RegisterValues | undefined,
  ): Promise<RegisterValues> {
    return change === undefined ? sleep.before(cpu, lateNs) : sleep.first(cpu, lateNs, change);
  }

  /** acpi_evaluate_ost(handle, event, status, ...): the design's own kernel would tell that the device is busy. */
  private async told(call: Call): Promise<RegisterValues> {
    if (this.refused.size === 0 || !EJECTS.includes(call.number(1))) return {};
    if (!this.refused.delete(await this.slotOf(call))) return {};
    return { rdx: BigInt(OST_EJECT_STATUS.DEVICE_BUSY) };
  }
}
