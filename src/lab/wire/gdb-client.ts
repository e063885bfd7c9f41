import { assert } from "../../assert.ts";
import {
  type BreakpointKind,
  type BreakType,
  gdbCommand,
  memoryChunk,
  type WatchpointKind,
} from "../../protocol/gdb-remote/commands.ts";
import { RegisterBlock, registerBytes, registerValueOf } from "../../protocol/gdb-remote/register-block.ts";
import { memoryOf, threadsOf } from "../../protocol/gdb-remote/replies.ts";
import type { RegisterLayout, RegisterPlace } from "../../protocol/gdb-remote/target-description.ts";
import { sameThread, type ThreadId } from "../../protocol/gdb-remote/thread-id.ts";
import { Connection, type ConnectOptions } from "./connection.ts";
import { type Agreement, shakeHands } from "./gdb-handshake.ts";
import { GdbRefused } from "./gdb-refused.ts";
import { GdbRequests, type Stop } from "./gdb-requests.ts";
import { minded } from "./minded.ts";

export type { Stop } from "./gdb-requests.ts";

/** Registers by the names of QEMU's description (`rax`, `rip`, `eflags`, `cr3`), and what to write to them. */
export type RegisterValues = Readonly<Record<string, bigint>>;

/**
 * A debugger's side of QEMU's gdb stub.
 *
 * Every method writes its request at once and returns a promise of the answer, so that requests may be made
 * before earlier ones are answered; `batch` puts them into one write. While the guest runs only `interrupt` and
 * `close` may be called. When the connection ends, all that waits is rejected with one ConnectionEnded.
 *
 * `?` is never sent: QEMU drops all break- and watchpoints on it.
 */
export class GdbClient {
  private readonly connection: Connection;
  private readonly requests: GdbRequests;
  private readonly agreement: Agreement;
  private selected: ThreadId | undefined;
  private physical = false;

  private constructor(connection: Connection, requests: GdbRequests, agreement: Agreement) {
    this.connection = connection;
    this.requests = requests;
    this.agreement = agreement;
  }

  /**
   * Connects and shakes hands. QEMU stops a running guest when a debugger connects, and serves one at a time: a
   * second one waits until the first has gone, for which `signal` is the way out.
   *
   * @throws ConnectionEnded
   */
  static async connect(path: string, options: ConnectOptions = {}): Promise<GdbClient> {
    const connection = await Connection.open("gdb stub", path, options);
    const requests = new GdbRequests(connection);
    try {
      return new GdbClient(connection, requests, await shakeHands(requests));
    } catch (error) {
      connection.finish("malformed", error);
      throw connection.error ?? error;
    }
  }

  get layout(): RegisterLayout {
    return this.agreement.layout;
  }

  /** Whether the guest was resumed and has not stopped. */
  get running(): boolean {
    return this.requests.running;
  }

  /** Stops that nobody here waited for, as QMP's `stop` and `cont` make them. */
  get strayStops(): number {
    return this.requests.strayStops;
  }

  /**
   * Gathers the requests that `work` makes into one write. The last may be `resume` or `step`. A refusal of one
   * does not keep the later ones from being done: they are on their way already.
   */
  batch<T>(work: () => T): T {
    return this.requests.batch(work);
  }

  /** All registers of the selected vCPU. */
  readRegisters(): Promise<RegisterBlock> {
    return this.requests.ask(gdbCommand.readRegisters(), (payload) =>
      RegisterBlock.decode(this.agreement.layout, payload),
    );
  }

  readRegister(name: string): Promise<bigint> {
    const place = this.place(name);
    return this.requests.ask(gdbCommand.readRegister(place.number), (payload) =>
      registerValueOf(payload, place),
    );
  }

  writeRegister(name: string, value: bigint): Promise<void> {
    const place = this.place(name);
    return this.requests.demand(gdbCommand.writeRegister(place.number, registerBytes(place, value)));
  }

  /**
   * Writes registers in one write, one packet for each that differs from `known`.
   *
   * `G`, which writes all at once, is not used: outside 64-bit mode QEMU 7.2 takes 4 bytes where it gave 8, and so
   * misplaces every register behind the first base; and it loads CR3, which flushes the guest's TLB.
   *
   * @param known the block read at this stop, so that what is unchanged need not be sent
   */
  writeRegisters(values: RegisterValues, known?: RegisterBlock): Promise<void> {
    const changed = Object.entries(values).filter(([name, value]) => known?.read(name) !== value);
    return allDone(this.batch(() => changed.map(([name, value]) => this.writeRegister(name, value))));
  }

  /** Virtual addresses go through the page tables of the selected vCPU. Setting one twice is no error in QEMU. */
  setBreakpoint(kind: BreakpointKind, address: bigint, length = 1): Promise<void> {
    return this.insert(kind, address, length);
  }

  clearBreakpoint(kind: BreakpointKind, address: bigint, length = 1): Promise<void> {
    return this.remove(kind, address, length);
  }

  /** Under TCG a watchpoint may have any length. A stop names the start of its range, and comes after the access. */
  setWatchpoint(kind: WatchpointKind, address: bigint, length: number): Promise<void> {
    return this.insert(kind, address, length);
  }

  /** Kind, address and length are those it was set with. @throws GdbRefused if there is none such */
  clearWatchpoint(kind: WatchpointKind, address: bigint, length: number): Promise<void> {
    return this.remove(kind, address, length);
  }

  /** Lets all vCPUs run until one stops. */
  resume(): Promise<Stop> {
    return this.stopOf(gdbCommand.resume());
  }

  /**
   * One instruction. A breakpoint on that instruction does not stop it, so there is no need to remove it first.
   *
   * @param thread the vCPU that steps while the others rest; left out, the selected one steps while the others run
   */
  step(thread?: ThreadId): Promise<Stop> {
    if (thread === undefined || !this.agreement.vCont) return this.stopOf(gdbCommand.step());
    return this.stopOf(gdbCommand.vCont([{ action: "step", thread }]));
  }

  /** Stops the guest; the pending `resume` gets a stop with signal SIGINT. Does nothing if the guest is stopped. */
  interrupt(): void {
    this.requests.interrupt();
  }

  /** Guest memory at a virtual address. Only what one page table walk of the selected vCPU reaches. */
  readMemory(address: bigint, length: number): Promise<Uint8Array> {
    return this.read(false, address, length);
  }

  writeMemory(address: bigint, bytes: Uint8Array): Promise<void> {
    return this.write(false, address, bytes);
  }

  /** Guest-physical memory. QEMU reads zeroes where nothing is. */
  readPhysical(gpa: number, length: number): Promise<Uint8Array> {
    return this.read(true, BigInt(gpa), length);
  }

  /** QEMU drops writes to where nothing is. */
  writePhysical(gpa: number, bytes: Uint8Array): Promise<void> {
    return this.write(true, BigInt(gpa), bytes);
  }

  /** Every vCPU, in the order of their numbers. */
  threads(): Promise<ThreadId[]> {
    return minded(this.listThreads());
  }

  /** The vCPU that registers, virtual addresses and `step` are about. A stop selects the one that stopped. */
  selectThread(thread: ThreadId): Promise<void> {
    if (this.selected !== undefined && sameThread(this.selected, thread)) return Promise.resolve();
    this.selected = thread;
    const requests = [gdbCommand.selectForAccess(thread), gdbCommand.selectForResume(thread)];
    const done = allDone(this.batch(() => requests.map((request) => this.requests.demand(request))));
    done.catch(() => {
      this.selected = undefined;
    });
    return done;
  }

  /** Removes all break- and watchpoints, lets the guest run, and closes. */
  async detach(): Promise<void> {
    const [first] = await this.threads();
    // A stub that names processes wants to know which one; QEMU's machine is one.
    const one = first === undefined || first.process === 0 ? undefined : first.process;
    await this.requests.demand(gdbCommand.detach(one));
    await this.close();
  }

  /** Ends QEMU itself, whether the guest runs or not, and closes. */
  async kill(): Promise<void> {
    // A running guest would be stopped by the packet's first byte, and the rest be lost.
    this.interrupt();
    this.requests.tell(gdbCommand.kill());
    await this.close();
  }

  /** Closes. A stopped guest stays stopped, and break- and watchpoints stay in QEMU for the next client. */
  async close(): Promise<void> {
    await this.connection.close();
  }

  private place(name: string): RegisterPlace {
    const place = this.agreement.layout.byName.get(name);
    assert(place !== undefined, () => `the target has a register ${name}`);
    return place;
  }

  private insert(type: BreakType, address: bigint, length: number): Promise<void> {
    return this.requests.demand(gdbCommand.insert(type, address, length));
  }

  private remove(type: BreakType, address: bigint, length: number): Promise<void> {
    return this.requests.demand(gdbCommand.remove(type, address, length));
  }

  private stopOf(request: string): Promise<Stop> {
    this.selected = undefined;
    return minded(
      this.requests.resume(request).then((stop) => {
        if (stop.kind === "stopped") this.selected = stop.thread;
        return stop;
      }),
    );
  }

  private async listThreads(): Promise<ThreadId[]> {
    const all: ThreadId[] = [];
    let piece = await this.requests.ask(gdbCommand.firstThreads(), threadsOf);
    while (piece !== undefined) {
      all.push(...piece);
      piece = await this.requests.ask(gdbCommand.moreThreads(), threadsOf);
    }
    return all;
  }

  private read(physical: boolean, address: bigint, length: number): Promise<Uint8Array> {
    const { read } = memoryChunk(this.agreement.packetSize);
    const bytes = new Uint8Array(length);
    const pieces = this.inMode(physical, () =>
      chunks(length, read).map(([at, count]) =>
        this.requests.ask(gdbCommand.readMemory(address + BigInt(at), count), (payload) => {
          bytes.set(memoryOf(payload, count), at);
        }),
      ),
    );
    return minded(pieces.then(() => bytes));
  }

  private write(physical: boolean, address: bigint, bytes: Uint8Array): Promise<void> {
    const { write } = memoryChunk(this.agreement.packetSize);
    return this.inMode(physical, () =>
      chunks(bytes.length, write).map(([at, count]) => {
        const piece = bytes.subarray(at, at + count);
        return this.requests.demand(gdbCommand.writeMemory(address + BigInt(at), piece));
      }),
    );
  }

  /** Makes requests in a memory mode; the switch goes with them. The mode stays until another is asked for. */
  private inMode(physical: boolean, work: () => Promise<void>[]): Promise<void> {
    const request = gdbCommand.physicalMemory(physical);
    if (physical && !this.agreement.physical) {
      return minded(Promise.reject(new GdbRefused(this.connection.path, request, { kind: "unknown" })));
    }
    return allDone(
      this.batch(() => {
        const switched = this.physical === physical ? [] : [this.requests.demand(request)];
        this.physical = physical;
        return [...switched, ...work()];
      }),
    );
  }
}

const allDone = (promises: readonly Promise<void>[]): Promise<void> =>
  minded(Promise.all(promises).then(() => {}));

/** `[offset, count]` of the pieces of at most `most` that make up `length`. */
const chunks = (length: number, most: number): [at: number, count: number][] =>
  Array.from({ length: Math.ceil(length / most) }, (_, i) => [i * most, Math.min(most, length - i * most)]);
