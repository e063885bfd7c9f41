import { VIRTIO_MEM_REQUEST } from "../../abi/virtio-mem/request.ts";
import { FAULT_POINT, type FaultPoint } from "../../linux/fault-points.ts";
import { ACPI_ANSWER, ACPI_METHOD } from "../../machine/faults/fault-calls.ts";
import { callOf, type FaultPlan } from "../../machine/faults/fault-points.ts";
import type { Injector } from "../../machine/faults/injector.ts";
import { Call, type Hooking } from "../design/kernel-hooks.ts";
import type { DeviceMirror } from "../devices/device-mirror.ts";
import type { Btf } from "../kernel-image/btf.ts";
import { LabError } from "../lab-error.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";
import { type NotifierEvent, nodeNameOffset, notifierEvent } from "./kernel-values.ts";

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
  readonly control: Hooking;
  readonly plan: FaultPlan;
  readonly injector: Pick<Injector, "at" | "acpi">;
  readonly mirror: Pick<DeviceMirror, "struck">;
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
/** Names of a DIMM's slots in the tables of QEMU: MP00, MP01 ... @source QEMU hw/acpi/memory_hotplug.c */
const SLOT_NAME = /^MP[0-9A-F]{2}$/;

/**
 * A scenario's faults at the functions of a real kernel: where the model's kernel, its driver or its firmware would fail,
 * the CPU is stopped, and the function returns the failure instead of doing its work.
 *
 * A control method is met where the kernel has it run: IGNORED and EMPTY are as if it had done nothing.
 */
export class FaultHooks {
  private readonly parts: FaultHooksParts;
  private readonly calls: ReadonlySet<string>;

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
    ["ACPI _CRS", this.method("acpi_walk_resources", ACPI_METHOD._CRS, ACPI_ANSWER.EMPTY)],
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
    const places = new Map([...this.calls].map((name) => [this.places.get(name), name]));
    for (const [place, name] of places) {
      if (place?.in !== where) continue;
      const address = place.functions.map(symbol).find((found) => found !== undefined);
      if (address === undefined)
        throw new LabError(
          `fault of ${name}: expected a function ${place.functions.at(-1)} in the ${where} to stop at, found none; use the model world or another kernel`,
        );
      await this.parts.control.hook(
        address,
        async (cpu) => (await place.handler(new Call(cpu, this.parts.control))) ?? {},
      );
    }
  }

  /** A function that answers an errno, or a pointer that holds one. */
  private point(point: FaultPoint, functions: readonly string[] = [point]): Place {
    return {
      functions,
      in: "kernel",
      handler: async (call) => {
        const errno = this.parts.injector.at(FAULT_POINT[point]);
        return errno === 0 ? undefined : call.skip(errno);
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
        await call.onReturn(async (_cpu, result) => {
          if ((result & NOTIFY_STOP_MASK) !== 0) return result;
          const errno = this.parts.injector.at(FAULT_POINT[point]);
          return errno === 0 ? result : vetoOf(errno);
        });
        return undefined;
      },
    };
  }

  /** A function that has a control method of a DIMM's slot run. @param nothing the answer that it did nothing */
  private method(name: string, method: number, nothing: number): Place {
    return {
      functions: [name],
      in: "kernel",
      handler: async (call) => {
        if (!(await this.isSlot(call, call.argument(0)))) return undefined;
        return this.parts.injector.acpi(method) === nothing ? call.skip(AE_OK) : undefined;
      },
    };
  }

  /** @param handle of an ACPI device: the address of its struct acpi_namespace_node */
  private async isSlot({ cpu }: Call, handle: bigint): Promise<boolean> {
    const name = await cpu.gdb.readMemory(handle + BigInt(nodeNameOffset(this.parts.types())), 4);
    return SLOT_NAME.test(String.fromCharCode(...name));
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
        const response = this.parts.mirror.struck({
          type: kind,
          addr: placed ? Number(addr) : 0,
          blocks: placed ? Number(blocks! & 0xffffn) : 0,
        });
        return response === undefined ? undefined : call.skip(response);
      },
    };
  }
}
