import { ospmStatus } from "./commands.ts";
import { anyObject, flag, maybe, natural, object, type Shape, text, type ValueOf } from "./shape.ts";

const nothing = object({});
const caused = object({ guest: flag, reason: text });
const ofDevice = object({ device: maybe(text), path: text });

/**
 * The events that a memory lab looks at, and their data. An event without data has an empty object here.
 *
 * @source QEMU 7.2 qapi/machine.json, qdev.json, acpi.json, run-state.json
 * @missing the other events of QEMU, which pass through with their data unread
 */
export const QMP_EVENTS = {
  MEMORY_DEVICE_SIZE_CHANGE: object({ id: maybe(text), size: natural, "qom-path": text }),
  DEVICE_DELETED: ofDevice,
  DEVICE_UNPLUG_GUEST_ERROR: ofDevice,
  /** Deprecated in QEMU in favour of DEVICE_UNPLUG_GUEST_ERROR, and still sent beside it. */
  MEM_UNPLUG_ERROR: object({ device: text, msg: text }),
  ACPI_DEVICE_OST: object({ info: ospmStatus }),
  STOP: nothing,
  RESUME: nothing,
  RESET: caused,
  SHUTDOWN: caused,
  POWERDOWN: nothing,
  GUEST_PANICKED: object({ action: text, info: maybe(anyObject) }),
} as const satisfies Record<string, Shape<unknown>>;
export type EventName = keyof typeof QMP_EVENTS;
export type EventData<E extends EventName> = ValueOf<(typeof QMP_EVENTS)[E]>;

export const isEventName = (name: string): name is EventName => Object.hasOwn(QMP_EVENTS, name);
