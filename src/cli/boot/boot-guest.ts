import { readFileSync } from "node:fs";
import type { GuestSnapshot } from "../../lab/agent/readings/snapshot.ts";
import { LabSession } from "../../lab/session/lab-session.ts";
import { findLabTools } from "../../lab/session/lab-tools.ts";
import type { Connection } from "../../lab/wire/connection.ts";
import { fateOf } from "../../lab/world/guest-fate.ts";
import { mapOf } from "../../lab/world/linux-facts.ts";
import { machineConfigOf } from "../../scenario/model/model-config.ts";
import { asStartable } from "../../scenario/model/startable.ts";
import type { MapRun } from "../../scenario/world.ts";
import type { BootedGuest, BootOrder, GuestOutcome } from "./booted-guest.ts";

/** Starts a guest of the lab. @throws KernelFileError, LabError, NotModelled, ScenarioError; nothing is left behind */
export const startInLab = async (order: BootOrder): Promise<BootedGuest> => {
  const { scenario, options, progress, signal } = order;
  const { kernel, modules, line } = options;
  progress("looking for the kernel");
  const tools = await findLabTools({ image: kernel, modules, line, signal, progress });
  progress(`reading Linux ${tools.kernel.release} and starting the machine`);
  const config = asStartable(scenario, () => machineConfigOf(scenario));
  const session = await LabSession.prepare({
    config,
    design: config.design,
    ...tools,
    append: order.append,
    enforcement: options.enforce ?? "exact",
    onViolation: options.onViolation ?? "stop",
    trap: options.trap ?? "mailbox",
    signal,
  });
  try {
    const { qemu } = session;
    const serial = await qemu.connect("the guest's console", qemu.files.console);
    // What was said before somebody listened: firmware and decompressor.
    order.print(readFileSync(qemu.files.consoleLog));
    return new GuestInLab(session, serial, order.print);
  } catch (error) {
    await session.close();
    throw error;
  }
};

class GuestInLab implements BootedGuest {
  private readonly session: LabSession;
  private readonly serial: Connection;
  /** Fulfilled once the console has said its last. */
  private readonly silent: Promise<void>;
  private snapshot: GuestSnapshot | undefined;

  constructor(session: LabSession, serial: Connection, print: (bytes: Uint8Array) => void) {
    this.session = session;
    this.serial = serial;
    this.silent = new Promise((resolve) => {
      serial.listen({ take: print, ended: () => resolve() });
    });
  }

  boot(): Promise<boolean> {
    return this.session.boot();
  }

  async gone(): Promise<void> {
    await this.session.gone();
  }

  type(bytes: Uint8Array): void {
    this.serial.write(bytes);
  }

  async setSize(columns: number, rows: number): Promise<void> {
    await this.asked(({ guest }) => guest.agent.run(`stty -F /dev/ttyS0 cols ${columns} rows ${rows}`));
  }

  async map(): Promise<MapRun[]> {
    const { session } = this;
    if (session.guest.agent.boot !== undefined)
      this.snapshot = (await this.asked(({ guest }) => guest.snapshot())) ?? this.snapshot;
    await session.devices.sync();
    session.table?.takeIn();
    return mapOf(session.td.td.machine, session.table, this.snapshot);
  }

  async outcome(): Promise<GuestOutcome> {
    const { session } = this;
    const fate = fateOf(session);
    await session.qemu.qemu.stop();
    await this.silent;
    await session.enforcer.audit();
    const { counts } = session.td.td.machine;
    return {
      release: session.plan.kernel.release,
      fate,
      violations: [...session.enforcer.violations, ...session.deeds],
      tdcalls: counts.tdcallsByName(),
      seamcalls: counts.seamcallsByName(),
      exits: counts.exits,
    };
  }

  close(): Promise<void> {
    return this.session.close();
  }

  /** What the guest answers; undefined if it is gone. */
  private async asked<T>(ask: (session: LabSession) => Promise<T>): Promise<T | undefined> {
    const { session } = this;
    if (session.over) return undefined;
    try {
      return await ask(session);
    } catch (error) {
      if (session.over) return undefined;
      throw error;
    }
  }
}
