import { VIRTIO_MEM_REQUEST } from "../../abi/virtio-mem/request.ts";
import type { Hooks } from "../../linux/design.ts";
import type { FaultPoints } from "../../machine/faults/fault-points.ts";
import { roundDown } from "../../units.ts";
import type { StoppedCpu } from "../cpu/cpu-control.ts";
import type { KernelSleep } from "../faults/kernel-sleep.ts";
import { withLateness } from "../faults/lateness.ts";
import { LabError } from "../lab-error.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";
import type { DesignHost } from "./design-host.ts";
import { Call, type Hooking, pagesToBytes, responseOf } from "./kernel-hooks.ts";

/** Of struct resource.flags. @source Linux include/linux/ioport.h */
const DRIVER_MANAGED = 0x0200_0000n;

/** How a hooked function goes on: as it is (undefined), or with registers changed. */
type Outcome = RegisterValues | undefined;
type Handler = (call: Call) => Promise<Outcome>;
/** A function to hook: its names, of which the first that a kernel has is meant, and the design's hooks that it is for. */
type Hooked = readonly [names: readonly string[], needs: readonly (keyof Hooks)[], Handler];

export interface DesignHooksParts {
  readonly control: Hooking;
  readonly host: Pick<DesignHost, "design" | "run" | "hidden">;
  /** Bytes of a memory block. */
  readonly blockBytes: number;
  /** Does to the guest's memory what the design's page calls mean for it. The guest stands still. */
  readonly afterHook: () => Promise<void>;
  /** A virtio-mem device's region by an address in it. */
  readonly regionOf: (addr: number | undefined) => { readonly start: number; readonly size: number };
  /** Brings what devices did up to date. */
  readonly sync: () => Promise<void>;
  /** A scenario's faults, which may have the design's calls answer late. */
  readonly points?: Pick<FaultPoints, "plan" | "struck"> | undefined;
  /** How a thread waits for what is late. Needed if anything can be. */
  readonly sleep?: KernelSleep | undefined;
}

/**
 * A design's hooks at the functions of a real kernel: where the model's kernel calls the design, the CPU is stopped
 * and the design runs outside. A hook without a place in the kernel is refused when the guest is made.
 */
export class DesignHooks {
  private readonly parts: DesignHooksParts;
  private readonly hooks: Hooks;
  /** By how much answers were late that the thread at hand has not waited for yet. */
  private lateNs = 0;

  constructor(parts: DesignHooksParts) {
    this.parts = parts;
    this.hooks = parts.host.design.hooks;
  }

  /** Functions of the kernel itself. */
  private readonly kernelFunctions: readonly Hooked[] = [
    [
      // In a 7.3, add_memory_resource() is one of three that call the other; a 6.12 has no other.
      ["__add_memory_resource", "add_memory_resource"],
      ["addMemory", "addMemoryFailed"],
      (call) => this.addMemory(call),
    ],
    [["arch_add_memory"], ["altmapAdd", "altmapAddFailed"], (call) => this.archAddMemory(call)],
    [["create_memory_block_devices"], ["memoryAdded"], (call) => this.blocksCreated(call)],
    [["arch_remove_memory"], ["removeMemory", "altmapRemoved"], (call) => this.archRemoveMemory(call)],
    [["try_remove_memory"], ["memoryRemoved"], (call) => this.tryRemoveMemory(call)],
    [["online_pages"], ["goingOnline"], (call) => this.onlinePages(call)],
  ];

  /** Functions of the virtio-mem driver. */
  private readonly driverFunctions: readonly Hooked[] = [
    [["virtio_mem_send_plug_request"], ["virtioPlug", "virtioPlugged"], (call) => this.plug(call)],
    [
      ["virtio_mem_send_unplug_request"],
      ["virtioUnplug", "virtioUnplugAnswered"],
      (call) => this.unplug(call),
    ],
    [
      // UNPLUG_ALL has a function of its own that compilers inline.
      ["virtio_mem_send_request"],
      ["virtioUnplugAll", "virtioUnplugAllAnswered"],
      (call) => this.request(call),
    ],
    [["virtio_mem_fake_online"], ["fakeOnlineContiguous"], (call) => this.fakeOnline(call)],
  ];

  /**
   * Hooks the kernel's functions. The guest must stand still.
   *
   * @param symbol address of a function in the running kernel
   * @throws LabError if the kernel lacks one that the design needs, or the design has a hook that is at none
   */
  async installInKernel(symbol: (name: string) => bigint | undefined): Promise<void> {
    this.checkPlaces();
    await this.install(this.kernelFunctions, symbol, "kernel");
  }

  /** Whether the design has anything to do with virtio-mem. */
  get needsDriver(): boolean {
    return this.driverFunctions.some(([, needs]) => this.isNeeded(needs));
  }

  /** Hooks the functions of the virtio-mem driver, once it is loaded. The guest must stand still. */
  async installInDriver(symbol: (name: string) => bigint | undefined): Promise<void> {
    await this.install(this.driverFunctions, symbol, "virtio_mem driver");
  }

  /** A design that was hooked in part would be judged for what it did not do. */
  private checkPlaces(): void {
    const { design } = this.parts.host;
    const placed = [...this.kernelFunctions, ...this.driverFunctions].flatMap(([, needs]) => needs);
    for (const [name, hook] of Object.entries(design.hooks)) {
      if (hook === undefined || placed.some((each) => each === name)) continue;
      throw new LabError(
        `design ${design.name}: expected a function of the kernel for its hook ${name}, found none that the linux world can stop at; use the model world`,
      );
    }
  }

  private isNeeded(needs: readonly (keyof Hooks)[]): boolean {
    return needs.some((hook) => this.hooks[hook] !== undefined);
  }

  private async install(
    functions: readonly Hooked[],
    symbol: (name: string) => bigint | undefined,
    where: string,
  ): Promise<void> {
    const { control, host } = this.parts;
    for (const [names, needs, handler] of functions) {
      if (!this.isNeeded(needs)) continue;
      const address = names.map(symbol).find((found) => found !== undefined);
      if (address === undefined)
        throw new LabError(
          `design ${host.design.name}: expected a function ${names.at(-1)} in the ${where} to hook, found none; use --design none`,
        );
      await control.hook(address, async (cpu) => {
        await this.parts.sync();
        const change = (await handler(new Call(cpu, control))) ?? {};
        const lateNs = this.takeLateness();
        if (lateNs === 0) return change;
        const { sleep } = this.parts;
        return "rip" in change ? sleep!.first(cpu, lateNs, change) : sleep!.before(cpu, lateNs);
      });
    }
  }

  /** Has the design do its part when a function returns. What it answers is put over the result. */
  private onReturn(call: Call, then: (cpu: StoppedCpu, result: number) => Promise<number>): Promise<void> {
    return call.onReturn(async (cpu, result) => {
      const answer = await then(cpu, result);
      const lateNs = this.takeLateness();
      if (lateNs === 0) return answer;
      const rax = answer === result ? cpu.registers.read("rax") : BigInt.asUintN(64, BigInt(answer));
      return this.parts.sleep!.afterwards(cpu, lateNs, rax);
    });
  }

  private takeLateness(): number {
    const { lateNs } = this;
    this.lateNs = 0;
    return lateNs;
  }

  private async run(hook: keyof Hooks, cpu: StoppedCpu, a: number, b: number, c = 0): Promise<number> {
    const { result, lateNs } = withLateness(this.parts.points, () =>
      this.parts.host.run(this.hooks[hook], cpu.vcpu, a, b, c),
    );
    this.lateNs += lateNs;
    await this.parts.afterHook();
    return result;
  }

  private async addMemory(call: Call): Promise<Outcome> {
    const [first, last, , flags] = await call.words(call.argument(1), 4);
    const start = Number(first);
    const size = Number(last! - first!) + 1;
    const managed = (flags! & DRIVER_MANAGED) === 0n ? 0 : 1;
    // It is mapped anew.
    this.parts.host.hidden.subtract(start, start + size);
    const refused = await this.run("addMemory", call.cpu, start, size, managed);
    if (refused < 0) return call.skip(refused);
    await this.onReturn(call, async (cpu, result) => {
      if (result < 0) await this.run("addMemoryFailed", cpu, start, size, managed);
      return result;
    });
    return undefined;
  }

  /** Bytes of memmap that lie in the block itself; 0 if they do not. @param altmap address of struct vmem_altmap, or 0 */
  private async altmapBytes(call: Call, altmap: bigint): Promise<number> {
    if (altmap === 0n) return 0;
    // base_pfn, end_pfn, reserve, free: what is free is what the memmap will take.
    const [, , , free] = await call.words(altmap, 4);
    return pagesToBytes(free!);
  }

  private async archAddMemory(call: Call): Promise<Outcome> {
    const start = call.number(1);
    const [altmap] = await call.words(call.argument(3), 1);
    const bytes = await this.altmapBytes(call, altmap!);
    if (bytes === 0) return undefined;
    await this.run("altmapAdd", call.cpu, start, bytes);
    await this.onReturn(call, async (cpu, result) => {
      if (result < 0) await this.run("altmapAddFailed", cpu, start, bytes);
      return result;
    });
    return undefined;
  }

  private async blocksCreated(call: Call): Promise<Outcome> {
    const [start, size] = [call.number(0), call.number(1)];
    await this.onReturn(call, async (cpu, result) =>
      result === 0 ? await this.run("memoryAdded", cpu, start, size) : result,
    );
    return undefined;
  }

  private async archRemoveMemory(call: Call): Promise<Outcome> {
    const [start, size] = [call.number(0), call.number(1)];
    const bytes = await this.altmapBytes(call, call.argument(2));
    await this.run("removeMemory", call.cpu, start, size);
    if (bytes === 0) return undefined;
    await this.onReturn(call, async (cpu, result) => {
      await this.run("altmapRemoved", cpu, start, bytes);
      return result;
    });
    return undefined;
  }

  private async tryRemoveMemory(call: Call): Promise<Outcome> {
    const [start, size] = [call.number(0), call.number(1)];
    // A driver that manages memory has a region around it.
    const managed = this.parts.regionOf(start).size > 0 ? 1 : 0;
    await this.onReturn(call, async (cpu, result) => {
      if (result === 0) await this.run("memoryRemoved", cpu, start, size, managed);
      return result;
    });
    return undefined;
  }

  private async onlinePages(call: Call): Promise<Outcome> {
    const { blockBytes } = this.parts;
    const start = roundDown(pagesToBytes(call.argument(0)), blockBytes);
    const refused = await this.run("goingOnline", call.cpu, start, blockBytes);
    return refused < 0 ? call.skip(refused) : undefined;
  }

  private async plug(call: Call): Promise<Outcome> {
    const [addr, size] = [call.number(1), call.number(2)];
    const refused = await this.run("virtioPlug", call.cpu, addr, size);
    if (refused < 0) return call.skip(refused);
    await this.onReturn(call, async (cpu, result) => {
      await this.parts.sync();
      return result === 0 ? await this.run("virtioPlugged", cpu, addr, size) : result;
    });
    return undefined;
  }

  private async unplug(call: Call): Promise<Outcome> {
    const [addr, size] = [call.number(1), call.number(2)];
    const refused = await this.run("virtioUnplug", call.cpu, addr, size);
    if (refused < 0) return call.skip(refused);
    await this.onReturn(call, async (cpu, result) => {
      await this.parts.sync();
      await this.run("virtioUnplugAnswered", cpu, addr, size, responseOf(result));
      return result;
    });
    return undefined;
  }

  private async request(call: Call): Promise<Outcome> {
    const [type] = await call.words(call.argument(1), 1);
    if (Number(type! & 0xffffn) !== VIRTIO_MEM_REQUEST.UNPLUG_ALL) return undefined;
    const { start, size } = this.parts.regionOf(undefined);
    await this.run("virtioUnplugAll", call.cpu, start, size);
    await this.onReturn(call, async (cpu, response) => {
      await this.parts.sync();
      await this.run("virtioUnplugAllAnswered", cpu, start, size, response);
      return response;
    });
    return undefined;
  }

  private async fakeOnline(call: Call): Promise<Outcome> {
    const [start, size] = [pagesToBytes(call.argument(0)), pagesToBytes(call.argument(1))];
    const refused = await this.run("fakeOnlineContiguous", call.cpu, start, size);
    return refused < 0 ? call.skip(0) : undefined;
  }
}
