import { VIRTIO_MEM_REQUEST } from "../../abi/virtio-mem/request.ts";
import { FAULT_POINT, type FaultPoint } from "../../linux/fault-points.ts";
import { ACPI_ANSWER, ACPI_METHOD, OWN_ANSWER } from "../../machine/faults/fault-calls.ts";
import { callOf, type FaultPlan, type FaultPoints } from "../../machine/faults/fault-points.ts";
import type { Injector } from "../../machine/faults/injector.ts";
import { NO_REPLY } from "../../vmm/virtio-mem-device.ts";
import { Call, type Hooking } from "../design/kernel-hooks.ts";
import type { DeviceMirror } from "../devices/device-mirror.ts";
import type { Btf } from "../kernel-image/btf.ts";
import { LabError } from "../lab-error.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";
import { slotOfHandle } from "./acpi-slot.ts";
import { AllocationHooks } from "./allocation-hooks.ts";
import type { HookChain } from "./hook-chain.ts";
import { FOR_EVER_NS, KernelSleep } from "./kernel-sleep.ts";
import { type NotifierEvent, notifierEvent } from "./kernel-values.ts";
import { withLateness } from "./lateness.ts";

/** How a function goes on: as it is (undefined), or with registers changed. */
type Handler = (call: Call) => Promise<RegisterValues | undefined>;

/** Where a call of a scenario's fault is met in a real kernel. */
interface Place {
  /** Names of the function, of which the first that a kernel has is meant. */
  readonly functions: readonly string[];
  readonly in: "kernel" | "virtio_mem driver";
  readonly handler: Handler;
}

export interface FaultHooksParts {
  readonly control: Hooking & Pick<HookChain, "unhook">;
  readonly plan: FaultPlan;
  readonly injector: Pick<Injector, "at" | "acpi"> & {
    readonly points: Pick<FaultPoints, "plan" | "struck" | "seen">;
  };
  readonly mirror: Pick<DeviceMirror, "struck" | "unpluggedNext">;
  /** Is told of a virtio-mem request that gets no reply, by an address of its device: its driver waits for ever. */
  readonly onNoReply: (addr: number) => void;
  /** Function that an address of the running kernel lies in. */
  readonly nameOf: (address: bigint) => string | undefined;
  /** The kernel's types. */
  readonly types: () => Btf;
  /** Brings what devices did up to date. */
  readonly sync: () => Promise<void>;
}

/** What a chain of notifiers answers for an error. @source Linux include/linux/notifier.h, notifier_from_errno */
const NOTIFY_STOP_MASK = 0x8000;
const NOTIFY_OK = 1;
const vetoOf = (errno: number): number => NOTIFY_STOP_MASK | (NOTIFY_OK - errno);

const AE_OK = 0;
/** How the functions of the driver of memory devices are called. @source Linux drivers/acpi/acpi_memhotplug.c */
const MEMORY_DRIVER = "acpi_memory_";
/** "_STA" as a C string, and what it says of a device that is there, enabled, shown and works. @source ACPI 6.5, 6.3.7 */
const STA = new TextEncoder().encode("_STA\0");
const STA_PRESENT = 0x0f;

const ALLOCATION = "alloc_pages";

const lacks = (what: string, name: string | undefined, where: string): LabError =>
  new LabError(
    `fault of ${what}: expected a function ${name} in the ${where} to stop at, found none; use the model world or another kernel`,
  );

/**
 * A scenario's faults at the functions of a real kernel: where the model's kernel, its driver or its firmware would fail,
 * the CPU is stopped, and the function returns the failure instead of doing its work.
 *
 * A control method is met where the kernel has it run: IGNORED and EMPTY are as if it had done nothing. Where an answer is
 * late, or never comes, the thread that waits for it sleeps in the kernel, and the others go on.
 */
export class FaultHooks {
  private readonly parts: FaultHooksParts;
  private readonly calls: ReadonlySet<string>;
  private sleep: KernelSleep | undefined;

  constructor(parts: FaultHooksParts) {
    this.parts = parts;
    this.calls = new Set(parts.plan.rules.map((rule) => callOf(rule).name));
  }

  /** One place for all requests. */
  private readonly requests = this.request();
  private readonly places: ReadonlyMap<string, Place> = new Map([
    ["virtio-mem PLUG", this.requests],
    ["virtio-mem UNPLUG", this.requests],
    ["virtio-mem UNPLUG_ALL", this.requests],
    ["virtio-mem STATE", this.requests],
    ["ACPI _STA", this.status()],
    ["ACPI _CRS", this.method("acpi_walk_resources", ACPI_METHOD._CRS, ACPI_ANSWER.EMPTY, MEMORY_DRIVER)],
    ["ACPI _EJ0", this.method("acpi_evaluate_ej0", ACPI_METHOD._EJ0, ACPI_ANSWER.IGNORED)],
    ["ACPI _OST", this.method("acpi_evaluate_ost", ACPI_METHOD._OST, ACPI_ANSWER.IGNORED)],
    [
      "alloc_contig_range",
      this.point("alloc_contig_range", ["alloc_contig_range_noprof", "alloc_contig_range"]),
    ],
    ["register_memory_resource", this.point("register_memory_resource")],
    ["arch_add_memory", this.point("arch_add_memory")],
    ["create_memory_block_devices", this.point("create_memory_block_devices")],
    ["MEM_GOING_ONLINE", this.notifier("MEM_GOING_ONLINE")],
    ["MEM_GOING_OFFLINE", this.notifier("MEM_GOING_OFFLINE")],
  ]);

  /** Whether a fault is met in the virtio-mem driver. */
  get needsDriver(): boolean {
    return [...this.calls].some((name) => this.places.get(name)?.in === "virtio_mem driver");
  }

  /**
   * Hooks the functions of the kernel itself, or of the virtio-mem driver once it is loaded. The guest must stand still.
   *
   * @param symbol address of a function in the running kernel
   * @throws LabError if it lacks one that a fault needs
   */
  async install(where: Place["in"], symbol: (name: string) => bigint | undefined): Promise<void> {
    if (where === "kernel" && this.needsSleep) this.sleep = KernelSleep.of(this.parts.control, symbol);
    if (where === "kernel" && this.calls.has(ALLOCATION)) await this.hookAllocations(symbol);
    const places = new Map([...this.calls].map((name) => [this.places.get(name), name]));
    for (const [place, name] of places) {
      if (place?.in !== where) continue;
      const address = place.functions.map(symbol).find((found) => found !== undefined);
      if (address === undefined) throw lacks(name, place.functions.at(-1), where);
      await this.parts.control.hook(
        address,
        async (cpu) => (await place.handler(new Call(cpu, this.parts.control))) ?? {},
      );
    }
  }

  /** Whether an answer is late, or never comes, that a kernel thread waits for. */
  private get needsSleep(): boolean {
    return this.parts.plan.rules.some((rule) => {
      const { name } = callOf(rule);
      const isMade = name === ALLOCATION || this.places.has(name);
      return isMade && (rule.lateNs > 0 || rule.answer === NO_REPLY);
    });
  }

  private async hookAllocations(symbol: (name: string) => bigint | undefined): Promise<void> {
    const { control, injector, plan } = this.parts;
    const { seen } = injector.points;
    const hooks = new AllocationHooks({
      control,
      callAt: (cpu) => new Call(cpu, control),
      answer: () => {
        const { result, lateNs } = withLateness(injector.points, () => injector.at(FAULT_POINT[ALLOCATION]));
        return { fails: result !== 0, lateNs };
      },
      sleep: this.sleep,
      isOver: () =>
        plan.rules.every(
          (rule, n) =>
            callOf(rule).name !== ALLOCATION || (rule.rate === 0 && seen[n]! >= rule.first + rule.times - 1),
        ),
    });
    const lacking = await hooks.install(symbol);
    if (lacking !== undefined) throw lacks(ALLOCATION, lacking, "kernel");
  }

  /** Has a function return `value` instead of running, late or at once. */
  private instead(call: Call, lateNs: number, value: number): Promise<RegisterValues> {
    return lateNs > 0 ? this.sleep!.instead(call, lateNs, value) : call.skip(value);
  }

  /** Lets a function run, and its caller have the answer late. */
  private async afterwards(call: Call, lateNs: number): Promise<undefined> {
    if (lateNs > 0)
      await call.onReturn((cpu) => this.sleep!.afterwards(cpu, lateNs, cpu.registers.read("rax")));
  }

  /** A function that answers an errno, or a pointer that holds one. */
  private point(point: FaultPoint, functions: readonly string[] = [point]): Place {
    return {
      functions,
      in: "kernel",
      handler: async (call) => {
        const { injector } = this.parts;
        const { result, lateNs } = withLateness(injector.points, () => injector.at(FAULT_POINT[point]));
        return result === 0 ? this.afterwards(call, lateNs) : this.instead(call, lateNs, result);
      },
    };
  }

  /** A listener that comes after all others: it is asked if none of them refused. */
  private notifier(point: NotifierEvent): Place {
    return {
      functions: ["memory_notify"],
      in: "kernel",
      handler: async (call) => {
        if (call.number(0) !== notifierEvent(this.parts.types(), point)) return undefined;
        const { injector } = this.parts;
        await call.onReturn(async (cpu, answer) => {
          if ((answer & NOTIFY_STOP_MASK) !== 0) return answer;
          const { result, lateNs } = withLateness(injector.points, () => injector.at(FAULT_POINT[point]));
          const changed = result === 0 ? answer : vetoOf(result);
          return lateNs > 0 ? this.sleep!.afterwards(cpu, lateNs, BigInt(changed)) : changed;
        });
        return undefined;
      },
    };
  }

  /**
   * A function that has a control method of a DIMM's slot run.
   *
   * @param nothing the answer that it did nothing
   * @param caller how the names of those begin whose calls count: a kernel runs _CRS of every device at boot
   */
  private method(name: string, method: number, nothing: number, caller = ""): Place {
    return {
      functions: [name],
      in: "kernel",
      handler: async (call) => {
        if (!(await this.isSlot(call, call.argument(0)))) return undefined;
        const { injector, nameOf } = this.parts;
        const [from] = await call.words(call.cpu.registers.read("rsp"), 1);
        if (caller !== "" && nameOf(from!)?.startsWith(caller) !== true) return undefined;
        const { result, lateNs } = withLateness(injector.points, () => injector.acpi(method));
        return result === nothing ? this.instead(call, lateNs, AE_OK) : this.afterwards(call, lateNs);
      },
    };
  }

  /** acpi_evaluate_integer(handle, name, arguments, *result) of a slot's _STA: the result is a lie. */
  private status(): Place {
    return {
      functions: ["acpi_evaluate_integer"],
      in: "kernel",
      handler: async (call) => {
        if (!(await this.isSlot(call, call.argument(0)))) return undefined;
        const name = await call.cpu.gdb.readMemory(call.argument(1), STA.length);
        if (STA.some((byte, at) => name[at] !== byte)) return undefined;
        const { injector } = this.parts;
        const { result, lateNs } = withLateness(injector.points, () => injector.acpi(ACPI_METHOD._STA));
        if (result === OWN_ANSWER) return this.afterwards(call, lateNs);
        const status = new Uint8Array(8);
        status[0] = result === ACPI_ANSWER.PRESENT ? STA_PRESENT : 0;
        await call.cpu.gdb.writeMemory(call.argument(3), status);
        return this.instead(call, lateNs, AE_OK);
      },
    };
  }

  private async isSlot({ cpu }: Call, handle: bigint): Promise<boolean> {
    return (await slotOfHandle(cpu, handle, this.parts.types())) >= 0;
  }

  private request(): Place {
    return {
      functions: ["virtio_mem_send_request"],
      in: "virtio_mem driver",
      handler: async (call) => {
        const [type, addr, blocks] = await call.words(call.argument(1), 3);
        await this.parts.sync();
        const kind = Number(type! & 0xffffn);
        const placed = kind !== VIRTIO_MEM_REQUEST.UNPLUG_ALL;
        const { injector, mirror } = this.parts;
        const at = placed ? Number(addr) : mirror.unpluggedNext;
        const { result, lateNs } = withLateness(injector.points, () =>
          mirror.struck({ type: kind, addr: at, blocks: placed ? Number(blocks! & 0xffffn) : 0 }),
        );
        if (result === undefined) return this.afterwards(call, lateNs);
        if (result !== NO_REPLY) return this.instead(call, lateNs, result);
        this.parts.onNoReply(at);
        return this.instead(call, FOR_EVER_NS, 0);
      },
    };
  }
}
