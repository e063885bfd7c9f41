import { statSync } from "node:fs";
import { SILENCE_MS } from "../agent/vigil.ts";
import { STUB_BYTES } from "../td/mailbox-stub.ts";
import type { GdbClient } from "../wire/gdb-client.ts";
import type { LabSession } from "./lab-session.ts";

/** The guest owed an answer and was not seen to do anything. */
export class GuestHung extends Error {
  override name = "GuestHung";
}

type Watched = Pick<LabSession, "qemu" | "td" | "guest" | "places">;

/** How long QEMU may take to stop a guest that hangs. */
const STOP_MS = 10_000;

const seenOf = (path: string): string => {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.size} ${stat.blocks}`;
};

/** What is seen of a guest from outside: each of it changes when the guest does something. */
export const signsOfLife = ({ qemu, td, guest }: Watched): string => {
  const { hooks, watches } = td.control.stops;
  const files = [
    qemu.files.consoleLog,
    qemu.files.deviceLog,
    ...qemu.ram.pieces.map(({ file }) => file.path),
  ];
  return [guest.agent.heard, td.loop.served, hooks, watches, ...files.map(seenOf)].join();
};

const isOfStub = ({ place, options }: LabSession["td"], rip: bigint): boolean => {
  const start = options.kernel.stubRoom.at + place.slide;
  return start <= rip && rip < start + BigInt(STUB_BYTES);
};

/** Function that each CPU is in, and its caller; nothing if the guest cannot be stopped. */
export const whereCpusAre = async ({ td, places }: Watched): Promise<string[]> => {
  const look = async (gdb: GdbClient): Promise<string[]> => {
    const found: string[] = [];
    for (const [vcpu, thread] of (await gdb.threads()).entries()) {
      await gdb.selectThread(thread);
      const { rip, symbol, backtrace } = await places.of(await gdb.readRegisters(), (address, length) =>
        gdb.readMemory(address, length),
      );
      // A CPU that halts does so by a TDCALL, and no symbol is near that code of ours.
      const [name, ...callers] = isOfStub(td, rip) ? ["a TDCALL, say HLT"] : [symbol, ...backtrace];
      found.push(`vcpu${vcpu} in ${[name, ...callers.slice(0, 1)].join(" < ")}`);
    }
    return found;
  };
  const late = new Promise<string[]>((resolve) => setTimeout(resolve, STOP_MS, []).unref());
  return Promise.race([td.control.whileStopped(look), late]).catch(() => []);
};

/** A guest that hangs: what it was asked, where it is, and what it said last. */
export const hangOf = async (session: Watched, owed: string): Promise<GuestHung> => {
  const places = await whereCpusAre(session);
  const last = session.qemu.consoleText().trimEnd().split(/\r?\n/).at(-1) ?? "";
  const where = places.length === 0 ? "" : `; ${places.join(", ")}`;
  return new GuestHung(
    `${owed}, no sign of life for ${SILENCE_MS / 1000} s${where}; the last on its console: ${last || "nothing"}`,
  );
};
