import { GIB } from "../../units.ts";
import { q35Layout } from "../../vmm/layout.ts";
import { connectAgent } from "../agent/connect-agent.ts";
import { Guest } from "../agent/guest.ts";
import { Cleanup } from "../cleanup.ts";
import { QemuGuest } from "../qemu/qemu-guest.ts";
import { COMMAND_LINE } from "../session/lab-session.ts";

/** Longest that a test's deeds in a guest, or its boot, may take: it is emulated, on a machine with other work to do. */
export const GUEST_PATIENCE_MS = 300_000;
/** Lines of the console that a report of a dead guest has. */
const TAIL_LINES = 40;

/** Where each CPU of a guest that hangs is, as QEMU says it. */
const registers = async ({ qmp }: QemuGuest): Promise<string> => {
  const asked = qmp.executeAny("human-monitor-command", { "command-line": "info registers -a" });
  const late = new Promise<string>((resolve) =>
    setTimeout(resolve, 5000, "QEMU does not answer either").unref(),
  );
  const text = String(await Promise.race([asked, late]).catch((error: Error) => error.message));
  return text
    .split("\n")
    .filter((line) => /^CPU#|RIP=|QEMU/.test(line))
    .join("\n");
};

/** An ordinary guest of 1 GiB and two CPUs, not a TD, on the lab's own machine, for tests to share. */
export class GuestForTest {
  readonly guest: Guest;
  readonly machine: QemuGuest;
  private readonly cleanup: Cleanup;
  /** Why nothing can be asked any more. */
  private dead: Error | undefined;

  private constructor(machine: QemuGuest, guest: Guest, cleanup: Cleanup) {
    this.machine = machine;
    this.guest = guest;
    this.cleanup = cleanup;
  }

  /** @param kernel path of a bzImage @throws Error with the console's tail if the guest does not come up */
  static async boot(kernel: string, initrd: Uint8Array): Promise<GuestForTest> {
    const plain = { nodes: 1, vcpus: 2, virtioMem: [], dimms: [], asTd: false };
    const layout = q35Layout({ memory: GIB });
    const cleanup = new Cleanup();
    const machine = await QemuGuest.start({ ...plain, layout, kernel, append: COMMAND_LINE }, initrd);
    cleanup.add(() => machine.close());
    const connected = await connectAgent(machine.files.agent, { patienceMs: GUEST_PATIENCE_MS });
    cleanup.add(() => connected.close());
    const guest = new GuestForTest(machine, new Guest(connected.agent), cleanup);
    await guest
      .ask((_, signal) => connected.agent.ready(signal))
      .catch(async (error: unknown) => {
        await guest.close();
        throw error;
      });
    return guest;
  }

  /**
   * Does something in the guest. One that dies over it, or takes longer than anything takes, is told of with the
   * console's tail and never asked again.
   *
   * @param work its second argument ends what waits for a guest that hangs
   */
  async ask<T>(work: (guest: Guest, signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.dead !== undefined) throw this.dead;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(new Error("the guest hangs")), GUEST_PATIENCE_MS);
    const hangs = new Promise<never>((_, refuse) => {
      stop.signal.addEventListener("abort", () => refuse(stop.signal.reason));
    });
    try {
      return await Promise.race([work(this.guest, stop.signal), hangs]);
    } catch (error) {
      if (stop.signal.aborted) await this.bury(`no answer in ${GUEST_PATIENCE_MS / 1000} s`, error);
      if (await this.isGone()) await this.bury("it has ended", error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): Promise<void> {
    return this.cleanup.run();
  }

  /** QEMU's sockets close a moment before its process ends. */
  private async isGone(): Promise<boolean> {
    const moment = new Promise<boolean>((resolve) => setTimeout(resolve, 1000, false));
    return Promise.race([this.machine.qemu.ended.then(() => true), moment]);
  }

  private async bury(how: string, cause: unknown): Promise<never> {
    const said = this.machine.consoleText().trimEnd().split(/\r?\n/).slice(-TAIL_LINES);
    const where = await registers(this.machine);
    this.dead = new Error(`the guest is dead: ${how}\n${where}\nits console ended so:\n${said.join("\n")}`, {
      cause,
    });
    await this.machine.qemu.stop();
    throw this.dead;
  }
}
