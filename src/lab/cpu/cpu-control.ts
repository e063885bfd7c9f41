import type { RegisterBlock } from "../../protocol/gdb-remote/register-block.ts";
import { GDB_SIGNAL } from "../../protocol/gdb-remote/stop-reply.ts";
import { type ThreadId, vcpuOf } from "../../protocol/gdb-remote/thread-id.ts";
import type { GdbClient, RegisterValues, Stop } from "../wire/gdb-client.ts";

/** What can be done to a guest that stands still, through the vCPU that stopped it. */
export type StoppedGuest = Pick<GdbClient, "readMemory" | "writeMemory" | "batch">;

/** Where the guest stands: one vCPU stopped it, and all are stopped. */
export interface StoppedCpu {
  readonly vcpu: number;
  readonly thread: ThreadId | undefined;
  readonly registers: RegisterBlock;
  readonly gdb: StoppedGuest;
}

/** Where a vCPU was in the kernel: where it stands, or what an exception has interrupted. */
export interface CpuInKernel extends Pick<StoppedCpu, "vcpu" | "gdb"> {
  readonly registers: Pick<RegisterBlock, "read">;
}

/** What a hook does with the guest: registers to change. Without RIP the instruction is executed as it stands. */
export type Hook = (cpu: StoppedCpu) => Promise<RegisterValues>;

/** A watchpoint's range was touched. `address` is where the range starts. */
export type WatchHook = (cpu: StoppedCpu, address: bigint) => Promise<void>;

/** First instructions that need no execution to be passed: `endbr64`, and the nop that ftrace patches. */
const PASSED: readonly (readonly number[])[] = [
  [0xf3, 0x0f, 0x1e, 0xfa],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
];
const LONGEST = 5;

/**
 * Runs a guest under the debugger: resumes it, hands each stop to whom it concerns, and lets others do things while it
 * stands still. A breakpoint costs a stop of more than a millisecond, so hooks are for what is rare.
 */
export class CpuControl {
  readonly gdb: GdbClient;
  onWatch: WatchHook = async () => {};
  /** Stops that nobody asked for. The guest was let go on. */
  unexplained = 0;
  /** Stops at breakpoints, those at watchpoints, and those made for others' work. */
  readonly stops = { hooks: 0, watches: 0, works: 0 };
  private readonly hooks = new Map<bigint, { readonly hook: Hook; readonly once: boolean }>();
  /** What waits for the guest to stop. */
  private waiting: (() => Promise<void>)[] = [];
  /** What is being done to the guest that stands still. */
  private readonly held = new Set<Promise<void>>();
  private ending = false;

  constructor(gdb: GdbClient) {
    this.gdb = gdb;
  }

  /** Hooks an instruction, every time or once. The guest must stand still. */
  async hook(address: bigint, hook: Hook, once = false): Promise<void> {
    this.hooks.set(address, { hook, once });
    await this.gdb.setBreakpoint("hardware", address);
  }

  /** The guest must stand still. No-op where there is no hook. */
  async unhook(address: bigint): Promise<void> {
    if (this.hooks.delete(address)) await this.gdb.clearBreakpoint("hardware", address);
  }

  /** Takes every hook away, whoever put it there: the kernel that they were in is gone. The guest must stand still. */
  async unhookAll(): Promise<void> {
    const addresses = [...this.hooks.keys()];
    this.hooks.clear();
    await this.gdb.batch(() =>
      Promise.all(addresses.map((address) => this.gdb.clearBreakpoint("hardware", address))),
    );
  }

  /**
   * Does something while the guest stands still, and lets it go on: at once if it stands still already, as it does
   * within a hook. Rejected if the guest has gone.
   */
  whileStopped<T>(work: (gdb: GdbClient) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const start = (): Promise<void> => work(this.gdb).then(resolve, reject);
      if (this.gdb.running) {
        this.waiting.push(start);
        this.gdb.interrupt();
      } else this.hold(start());
    });
  }

  /** The guest is not resumed before this is done. */
  private hold(work: Promise<void>): void {
    this.held.add(work);
    void work.finally(() => this.held.delete(work));
  }

  /** Ends `run` at the next stop, which it brings about. The guest stands still then. */
  async finish(): Promise<void> {
    this.ending = true;
    if (this.gdb.running) this.gdb.interrupt();
  }

  /**
   * Lets the guest run until it is gone or `finish` is called.
   *
   * @returns "gone" if QEMU ended, "stopped" after `finish`
   * @throws what a hook throws; the guest stands still then
   */
  async run(): Promise<"gone" | "stopped"> {
    let change: RegisterValues = {};
    for (;;) {
      await this.letWork();
      if (this.ending) return "stopped";
      const stop = await this.resume(change);
      change = {};
      if (stop.kind !== "stopped") return "gone";
      change = await this.handle(stop);
    }
  }

  private async letWork(): Promise<void> {
    if (this.waiting.length > 0) this.stops.works++;
    while (this.waiting.length > 0 || this.held.size > 0) {
      for (const start of this.waiting.splice(0)) this.hold(start());
      await Promise.all(this.held);
    }
  }

  private resume(change: RegisterValues): Promise<Stop> {
    return this.gdb.batch(() => {
      for (const [name, value] of Object.entries(change)) this.gdb.writeRegister(name, value).catch(() => {});
      return this.gdb.resume();
    });
  }

  private async handle(stop: Stop & { kind: "stopped" }): Promise<RegisterValues> {
    if (stop.signal === GDB_SIGNAL.INT) return {};
    const vcpu = stop.thread === undefined ? 0 : vcpuOf(stop.thread);
    const registers = await this.gdb.readRegisters();
    const cpu = { vcpu, thread: stop.thread, registers, gdb: this.gdb };
    if (stop.reason.kind === "watchpoint") {
      this.stops.watches++;
      await this.onWatch(cpu, stop.reason.address);
      return {};
    }
    return this.atBreakpoint(cpu);
  }

  private async atBreakpoint(cpu: StoppedCpu): Promise<RegisterValues> {
    const address = cpu.registers.read("rip");
    const entry = this.hooks.get(address);
    if (entry === undefined) {
      // A breakpoint that nobody armed would stop the guest for ever.
      this.unexplained++;
      await this.gdb.clearBreakpoint("hardware", address).catch(() => {});
      return {};
    }
    this.stops.hooks++;
    if (entry.once) await this.unhook(address);
    const change = await entry.hook(cpu);
    if ("rip" in change || !this.hooks.has(address)) return change;
    return this.pass(cpu, address, change);
  }

  /** Gets past a hooked instruction. */
  private async pass(cpu: StoppedCpu, address: bigint, change: RegisterValues): Promise<RegisterValues> {
    const code = await this.gdb.readMemory(address, LONGEST);
    const passed = PASSED.find((bytes) => bytes.every((byte, i) => code[i] === byte));
    if (passed !== undefined) return { ...change, rip: address + BigInt(passed.length) };
    await this.gdb.writeRegisters(change, cpu.registers);
    // A step passes over a breakpoint that is set; the other CPUs rest meanwhile.
    await this.gdb.step(cpu.thread);
    return {};
  }
}
