import { assert } from "../../assert.ts";
import { BLOCKED, Frame, type Procedure, TASK_WORDS } from "../../flat/procedure.ts";
import { AcceptingList } from "../../linux/accepting-list.ts";
import type { Boundary } from "../../linux/boundary.ts";
import type { Platform } from "../../linux/coco/platform.ts";
import { SharedPages } from "../../linux/coco/shared-pages.ts";
import { TDX_PLATFORM } from "../../linux/coco/tdx-platform.ts";
import type { Design } from "../../linux/design.ts";
import { X86_64 } from "../../linux/geometry.ts";
import { Cpus, KERNEL_PROCEDURES, type Kernel } from "../../linux/kernel.ts";
import { Kexec } from "../../linux/kexec/kexec.ts";
import { Locks } from "../../linux/locks.ts";
import { NotModelled } from "../../not-modelled.ts";
import { TD_WORD } from "../../tdx-module/td.ts";
import { GuestStopped } from "../enforce/enforcer.ts";
import { RangeSet } from "../enforce/range-set.ts";
import type { GuestTable } from "../td/guest-table.ts";
import type { TrustDomain } from "../td/trust-domain.ts";

/** One call of a design at a time: the guest stands still meanwhile. */
const TASK = 0;

const beyond = (what: string): never => {
  throw new NotModelled(`a design's use of the kernel's ${what} in the linux world`);
};

/** What a design reaches outside itself here: our TDX module, on the registers of the CPU whose hook was met. */
const boundaryOf = (td: TrustDomain): Boundary => ({
  regs: (vcpu) => td.machine.cpus.regs(vcpu),
  tdcall: (vcpu) => td.attempt(vcpu),
  access: () => beyond("memory"),
  memory: () => beyond("memory"),
  virtioMem: [],
  acpi: undefined,
});

/** Keeps in mind what a design takes out of the direct map: the page tables are left as they are. */
const setHidden = (name: string, hidden: boolean): Procedure<Kernel> => {
  const { v, define } = KERNEL_PROCEDURES.declare(name, {
    args: ["start", "size"],
    locals: [],
    steps: ["enter"],
  });
  return define({
    enter: (k, f) => {
      assert(k instanceof KernelOutside, "a design runs outside here");
      const [start, end] = [f.get(v.start), f.get(v.start) + f.get(v.size)];
      if (hidden) k.hidden.add(start, end);
      else k.hidden.subtract(start, end);
      return f.returns(0);
    },
  });
};
const PLATFORM: Platform = {
  ...TDX_PLATFORM,
  hide: setHidden("hide outside", true),
  show: setHidden("show outside", false),
};

/** The parts of a kernel that a design may use wherever it runs. What only the model's kernel has is out of reach. */
class KernelOutside implements Kernel {
  readonly geometry = X86_64;
  readonly variant: Kernel["variant"];
  readonly options: Kernel["options"];
  readonly hw: Boundary;
  readonly platform = PLATFORM;
  /** Memory that the design has taken out of the direct map. */
  readonly hidden = new RangeSet();
  readonly design: Design;
  readonly table: GuestTable | undefined;
  readonly accepting = new AcceptingList(TASK + 1);
  readonly shared = new SharedPages();
  readonly kexec = new Kexec();
  readonly locks: Locks;
  readonly cpus: Cpus;
  readonly printk: Kernel["printk"];

  constructor(td: TrustDomain, design: Design, table: GuestTable | undefined, printk: Kernel["printk"]) {
    const { config } = td.machine;
    this.variant = config.variant;
    this.options = config.options;
    this.hw = boundaryOf(td);
    this.design = design;
    this.table = table;
    this.locks = new Locks(config.virtioMem.length);
    this.cpus = new Cpus(config.vcpus);
    this.cpus.configFlags = td.machine.td.words[TD_WORD.CONFIG_FLAGS]!;
    this.cpus.gpaWidth = td.machine.td.gpaw;
    this.printk = printk;
  }

  get mm(): never {
    return beyond("memmap");
  }
  get zones(): never {
    return beyond("zones");
  }
  get memblock(): never {
    return beyond("memblock");
  }
  get boot(): never {
    return beyond("boot layout");
  }
  get iomem(): never {
    return beyond("resource tree");
  }
  get firmwareMap(): never {
    return beyond("firmware map");
  }
  get blocks(): never {
    return beyond("memory blocks");
  }
  get groups(): never {
    return beyond("memory groups");
  }
  get virtioMem(): never {
    return beyond("virtio-mem driver");
  }
  get acpiMemory(): never {
    return beyond("ACPI driver");
  }
}

/** Runs a design's procedures for a kernel that is not ours, with our TDX module under them. */
export class DesignHost {
  readonly design: Design;
  readonly table: GuestTable | undefined;
  /** Memory that the design has taken out of the direct map, where the kernel still has it. */
  readonly hidden: RangeSet;
  private readonly kernel: Kernel;

  constructor(td: TrustDomain, design: Design, table: GuestTable | undefined, printk: Kernel["printk"]) {
    this.design = design;
    this.table = table;
    const kernel = new KernelOutside(td, design, table, printk);
    this.hidden = kernel.hidden;
    this.kernel = kernel;
  }

  /**
   * Runs a hook to its end on a guest that stands still: what the kernel accepted is taken in before, and it is
   * shown the bits after.
   *
   * @returns what the hook returns; 0 if the design has none there
   * @throws GuestStopped if the design panics; NotModelled if it needs what only the model's kernel has
   */
  run(hook: Procedure<Kernel> | undefined, vcpu: number, a = 0, b = 0, c = 0): number {
    if (hook === undefined) return 0;
    this.table?.takeIn();
    const frame = new Frame(KERNEL_PROCEDURES, new Float64Array(TASK_WORDS), TASK, vcpu);
    frame.start(hook, a, b, c);
    while (!frame.idle) if (frame.step(this.kernel) === BLOCKED) this.blocked();
    this.table?.show();
    return frame.result;
  }

  /** Whether the design holds a DIMM's memory, so that it must not be ejected. What the kernel accepted is taken in before. */
  holds(start: number, size: number): boolean {
    const { ejectGuard } = this.design;
    if (ejectGuard === undefined) return false;
    this.table?.takeIn();
    return ejectGuard.holds(this.kernel, start, size);
  }

  private blocked(): never {
    const { cpus } = this.kernel;
    if (cpus.panicked) throw new GuestStopped(`Kernel panic - not syncing: ${cpus.panicMessage}`);
    throw new NotModelled("a design that waits for another CPU, in the linux world");
  }
}
