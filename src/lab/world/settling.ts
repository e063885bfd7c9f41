import { OST_EJECT_STATUS, OST_EVENT, OST_STATUS, ostStatusName } from "../../abi/acpi/ost.ts";
import { formatSize } from "../../scenario/quantity.ts";
import type { QmpClient } from "../wire/qmp-client.ts";
import { awaited, DRIVER_PACE, type Pace, Patience, type Watched } from "./patience.ts";

/** A guest whose answers to what is done to its machine are waited for. */
export interface Asked extends Watched {
  readonly qemu: { readonly qmp: Pick<QmpClient, "waitFor"> };
  /** What the report says of a guest that did not do what it was asked. */
  readonly remarks: string[];
}

const EJECTS: readonly number[] = [OST_EVENT.EJECT_REQUEST, OST_EVENT.OSPM_EJECT];
const isEject = (source: number): boolean => EJECTS.includes(source);

/** Listens from now on. @returns waits until the guest has told, by _OST, what became of a DIMM that is plugged */
export const dimmTaken = (asked: Asked, dimm: string, pace?: Pace): (() => Promise<void>) => {
  const done = new AbortController();
  const ost = asked.qemu.qmp.waitFor(
    "ACPI_DEVICE_OST",
    ({ data }) => data.info.device === dimm && !isEject(data.info.source),
    done.signal,
  );
  return async () => {
    const told = await awaited(asked, ost, pace);
    done.abort();
    if (told === undefined) {
      if (!asked.over)
        asked.remarks.push(`plug of ${dimm}: the guest has not told, by _OST, what became of it`);
      return;
    }
    const { source, status } = told.data.info;
    if (status !== OST_STATUS.SUCCESS)
      asked.remarks.push(`plug of ${dimm}: the guest answers ${ostStatusName(source, status)}`);
  };
};

/**
 * Listens from now on.
 *
 * @param onGone takes the DIMM away when the guest has given it back, however late
 * @returns waits until it is gone, or the guest has refused, or does nothing more about it
 */
export const dimmGone = (
  asked: Asked,
  dimm: string,
  onGone: () => Promise<void>,
  pace?: Pace,
): (() => Promise<void>) => {
  const { qmp } = asked.qemu;
  const done = new AbortController();
  const deleted = qmp
    .waitFor("DEVICE_DELETED", ({ data }) => data.device === dimm)
    .then(onGone)
    .then(() => undefined);
  // What of it fails after the step is told of by whoever looks for the DIMM then.
  deleted.catch(() => {});
  const refused = qmp
    .waitFor("DEVICE_UNPLUG_GUEST_ERROR", ({ data }) => data.device === dimm, done.signal)
    .then(() => "still uses its memory");
  const failed = qmp
    .waitFor(
      "ACPI_DEVICE_OST",
      ({ data: { info } }) => info.device === dimm && isEject(info.source) && isRefusal(info.status),
      done.signal,
    )
    .then(({ data: { info } }) => `answers ${ostStatusName(info.source, info.status)}`);
  for (const wait of [refused, failed]) wait.catch(() => {});
  return async () => {
    const ends = Promise.race([deleted, refused, failed]).then((why) => ({ why }));
    const end = await awaited(asked, ends, pace);
    done.abort();
    if (end === undefined && asked.over) return;
    const why = end === undefined ? "does not answer" : end.why;
    if (why !== undefined) asked.remarks.push(`unplug of ${dimm}: the guest ${why}`);
  };
};

const isRefusal = (status: number): boolean =>
  status !== OST_STATUS.SUCCESS && status !== OST_EJECT_STATUS.IN_PROGRESS;

/** What a virtio-mem device has and should have. */
export interface DeviceSizes {
  readonly requestedSize: number;
  readonly pluggedSize: number;
  readonly blockSize: number;
  /** Its driver waits for a reply that does not come. */
  readonly isStuck: boolean;
}

/**
 * Waits until the driver of a virtio-mem device has what was asked for and has ended its work on it, or asks for nothing
 * more for now.
 *
 * A device has its memory before the guest does: the driver plugs first, then adds and onlines the block, all in one go
 * of its worker. So a worker that is found idle counts only if it is looked for after the device had what was asked for.
 *
 * @param sizes the device as it is now
 */
export const deviceSettled = async (
  asked: Asked,
  id: string,
  sizes: () => Promise<DeviceSizes>,
  pace: Pace = DRIVER_PACE,
): Promise<void> => {
  const patience = new Patience(asked, pace);
  let now = await sizes();
  for (;;) {
    const before = now;
    const state = await patience.look();
    now = await sizes();
    const { requestedSize, pluggedSize, blockSize } = now;
    if (asked.over) return;
    if (now.isStuck) {
      asked.remarks.push(`${id}: a request got no reply, and its driver waits for one for ever`);
      return;
    }
    // What the driver did in between shows that it was not idle.
    if (state === "working" || before.pluggedSize !== pluggedSize) continue;
    const wanted = requestedSize - (requestedSize % blockSize);
    if (pluggedSize === wanted) return;
    if (state !== "spent") continue;
    asked.remarks.push(
      `${id}: ${formatSize(wanted)} are asked for, the guest has ${formatSize(pluggedSize)} and asks for nothing now`,
    );
    return;
  }
};
