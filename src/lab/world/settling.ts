import type { LabSession } from "../session/lab-session.ts";

/** How long a guest may take over something before a step goes on without it. It is emulated, on a shared machine. */
const PATIENCE_MS = 60_000;
/** A virtio-mem driver that has asked nothing for so long waits for something else, such as its retry timer. */
const QUIET_MS = 6_000;
const LOOK_MS = 20;

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_MS));

/** Waits for one of several, for as long as the guest lives and patience lasts. @returns undefined if none came */
const first = async <T>(
  session: LabSession,
  waits: readonly Promise<T>[],
  done: AbortController,
): Promise<T | undefined> => {
  const timer = setTimeout(() => done.abort(), PATIENCE_MS);
  try {
    return await Promise.race([...waits, session.gone().then(() => undefined)]);
  } catch (error) {
    if (done.signal.aborted) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
    done.abort();
  }
};

/** The guest has told QEMU, by _OST, what became of a DIMM that was plugged. Call it before the DIMM is. */
export const dimmTaken = async (session: LabSession, dimm: string): Promise<void> => {
  const done = new AbortController();
  const ost = session.qemu.qmp.waitFor(
    "ACPI_DEVICE_OST",
    ({ data }) => data.info.device === dimm,
    done.signal,
  );
  await first(session, [ost], done);
};

/** @returns whether the DIMM is gone; false if the guest keeps it. Call it before it is asked for. */
export const dimmGone = async (session: LabSession, dimm: string): Promise<boolean> => {
  const { qmp } = session.qemu;
  const done = new AbortController();
  const deleted = qmp
    .waitFor("DEVICE_DELETED", ({ data }) => data.device === dimm, done.signal)
    .then(() => true);
  const refused = qmp
    .waitFor("DEVICE_UNPLUG_GUEST_ERROR", ({ data }) => data.device === dimm, done.signal)
    .then(() => false);
  for (const wait of [deleted, refused]) wait.catch(() => {});
  return (await first(session, [deleted, refused], done)) ?? false;
};

/** What the guest shows of memory that comes and goes. */
const appearance = async (session: LabSession): Promise<string> => {
  const { meminfo, blocks } = await session.guest.snapshot();
  return [meminfo.get("MemTotal"), ...blocks.map(({ index, state }) => `${index} ${state}`)].join();
};

/** The guest has done what follows from the last answer of a device: it looks the same twice. */
const guestSettled = async (session: LabSession): Promise<void> => {
  let before = "";
  for (let now = await appearance(session); now !== before; now = await appearance(session)) {
    before = now;
    await pause();
  }
};

/** The driver of a virtio-mem device has what was asked for, or asks for nothing more for now. */
export const deviceSettled = async (session: LabSession, id: string): Promise<void> => {
  const { vmm } = session.td.td.machine;
  const until = performance.now() + PATIENCE_MS;
  let seen = session.devices.requests;
  let since = performance.now();
  while (!session.over && performance.now() < until) {
    await session.devices.sync();
    const device = vmm.devices.find((each) => each.id === id);
    const wanted =
      device === undefined ? 0 : device.requestedSize - (device.requestedSize % device.blockSize);
    if (device?.pluggedSize === wanted) return guestSettled(session);
    if (session.devices.requests !== seen) {
      seen = session.devices.requests;
      since = performance.now();
    }
    if (performance.now() - since > QUIET_MS) return;
    await pause();
  }
};
