import {
  anyObject,
  anything,
  closedObject,
  flag,
  integer,
  list,
  maybe,
  natural,
  object,
  oneOf,
  openObject,
  type Shape,
  text,
  type ValueOf,
} from "./shape.ts";

/** What `status` of query-status may be. @source QEMU 7.2 qapi/run-state.json */
export const RUN_STATES = [
  ...["debug", "inmigrate", "internal-error", "io-error", "paused", "postmigrate", "prelaunch"],
  ...["finish-migrate", "restore-vm", "running", "save-vm", "shutdown", "suspended", "watchdog"],
  ...["guest-panicked", "colo"],
] as const;

/** What device_add, object-add and many others answer: nothing to say. */
const empty = object({});
const none = closedObject({});

export const version = object({
  qemu: object({ major: natural, minor: natural, micro: natural }),
  package: text,
});
export type QmpVersion = ValueOf<typeof version>;

/** One entry of query-memory-devices. Sizes and addresses are bytes. */
const memoryDevice = object({ type: text, data: anyObject });

/** `data` of a memory device of type `dimm` or `nvdimm`. */
export const dimmInfo = object({
  id: maybe(text),
  addr: natural,
  size: natural,
  slot: integer,
  node: integer,
  memdev: text,
  hotplugged: flag,
  hotpluggable: flag,
});
export type DimmInfo = ValueOf<typeof dimmInfo>;

/** `data` of a memory device of type `virtio-mem`. */
export const virtioMemInfo = object({
  id: maybe(text),
  memaddr: natural,
  "requested-size": natural,
  size: natural,
  "max-size": natural,
  "block-size": natural,
  node: integer,
  memdev: text,
});
export type VirtioMemInfo = ValueOf<typeof virtioMemInfo>;

/** What the guest's ACPI code said last about a slot: ACPI's _OST source event and status. */
export const ospmStatus = object({
  device: maybe(text),
  slot: text,
  "slot-type": text,
  source: integer,
  status: integer,
});

const cpu = object({ "cpu-index": natural, "qom-path": text, "thread-id": natural, target: text });

interface Command<A, R> {
  readonly takes: Shape<A>;
  readonly returns: Shape<R>;
}
const command = <A, R>(takes: Shape<A>, returns: Shape<R>): Command<A, R> => ({ takes, returns });

/**
 * The commands that a memory lab needs: what each takes, and what it returns.
 *
 * @source QEMU 7.2 qapi/; what query-status and query-memory-size-summary return differs between releases, and what
 *   is not in all of them is optional here
 * @missing the other commands of QEMU, out-of-band execution
 */
export const QMP_COMMANDS = {
  qmp_capabilities: command(closedObject({ enable: maybe(list(text)) }), empty),
  "query-version": command(none, version),
  "query-status": command(none, object({ status: text, running: flag, singlestep: maybe(flag) })),
  "query-commands": command(none, list(object({ name: text }))),
  "query-name": command(none, object({ name: maybe(text) })),
  "query-memory-devices": command(none, list(memoryDevice)),
  "query-memory-size-summary": command(
    none,
    object({ "base-memory": natural, "plugged-memory": maybe(natural) }),
  ),
  "query-acpi-ospm-status": command(none, list(ospmStatus)),
  "query-cpus-fast": command(none, list(cpu)),
  cont: command(none, empty),
  stop: command(none, empty),
  system_reset: command(none, empty),
  system_powerdown: command(none, empty),
  quit: command(none, empty),
  "object-add": command(openObject({ "qom-type": text, id: text }), empty),
  "object-del": command(closedObject({ id: text }), empty),
  device_add: command(openObject({ driver: text, id: maybe(text), bus: maybe(text) }), empty),
  device_del: command(closedObject({ id: text }), empty),
  "qom-get": command(closedObject({ path: text, property: text }), anything),
  "qom-set": command(closedObject({ path: text, property: text, value: anything }), empty),
  "qom-list": command(closedObject({ path: text }), list(object({ name: text, type: text }))),
  "human-monitor-command": command(closedObject({ "command-line": text, "cpu-index": maybe(integer) }), text),
} as const;
export type CommandName = keyof typeof QMP_COMMANDS;
export type ArgumentsOf<C extends CommandName> = ValueOf<(typeof QMP_COMMANDS)[C]["takes"]>;
export type ReturnOf<C extends CommandName> = ValueOf<(typeof QMP_COMMANDS)[C]["returns"]>;

export const isCommandName = (name: string): name is CommandName => Object.hasOwn(QMP_COMMANDS, name);

/** Classes of an error. Clients may rely on the class, never on the description. */
export const QMP_ERROR_CLASSES = [
  "GenericError",
  "CommandNotFound",
  "DeviceNotFound",
  "DeviceNotActive",
  "KVMMissingCap",
] as const;
export const errorClass = oneOf(QMP_ERROR_CLASSES);
