import { assert } from "../../assert.ts";

/** Notify values and _OST events. @source ACPI specification, 5.6.6 and 6.3.5 */
export const ACPI_NOTIFY = { BUS_CHECK: 0, DEVICE_CHECK: 1, EJECT_REQUEST: 3, OSPM_EJECT: 0x103 } as const;
/** Status codes of _OST. */
export const ACPI_OST = {
  SUCCESS: 0,
  NON_SPECIFIC_FAILURE: 1,
  UNRECOGNIZED_NOTIFY: 2,
  EJECT_NOT_SUPPORTED: 0x80,
  DEVICE_IN_USE: 0x81,
  DEVICE_BUSY: 0x82,
  EJECT_DEPENDENCY_BUSY: 0x83,
  EJECT_IN_PROGRESS: 0x84,
} as const;

/**
 * What has become of a slot's device: nobody is bound to it; its memory is in Linux; the driver has no memory of it any more, and
 * stays until it is ejected; the driver left it alone, and so do later scans until it is gone or asked to go.
 *
 * @source Linux drivers/acpi/scan.c, acpi_bus_attach, acpi_bus_post_eject (seen on a 6.12.117)
 */
export const BINDING = { NONE: 0, ADDED: 1, EMPTIED: 2, LEFT_ALONE: 3 } as const;

/** Slots of `AcpiMemory.words`. */
const WORD = { head: 0, count: 1, gpe: 2 } as const;

/**
 * The kernel's ACPI memory devices, one a slot of the register block, and the queue of their events.
 *
 * Events wait in the order in which the GPE handler saw them and one worker handles them one after the
 * other, as acpi_device_hotplug() does from its ordered workqueue.
 *
 * @source Linux drivers/acpi/acpi_memhotplug.c, scan.c
 */
export class AcpiMemory {
  readonly slots: number;
  /** By slot: `BINDING`. */
  readonly bound: Uint8Array;
  /** Range that was added, bytes, and the memory group. */
  readonly starts: Float64Array;
  readonly sizes: Float64Array;
  readonly groups: Int32Array;
  /** Ring of events: slot * 1024 + notify value. */
  readonly queue: Float64Array;
  readonly words = new Float64Array(Object.keys(WORD).length);

  constructor(slots: number) {
    this.slots = slots;
    this.bound = new Uint8Array(slots);
    this.starts = new Float64Array(slots);
    this.sizes = new Float64Array(slots);
    this.groups = new Int32Array(slots);
    this.queue = new Float64Array(4 * slots + 16);
  }

  /** Whether the GPE fired and its handler has not run since. */
  get gpePending(): boolean {
    return this.words[WORD.gpe] !== 0;
  }
  /** The machine raised the memory hotplug GPE, or the handler starts. */
  setGpe(pending: boolean): void {
    this.words[WORD.gpe] = pending ? 1 : 0;
  }

  get waiting(): number {
    return this.words[WORD.count]!;
  }

  get full(): boolean {
    return this.waiting === this.queue.length;
  }

  /** Queues an event; the ring is not full. */
  push(slot: number, notify: number): void {
    assert(!this.full, "the queue of ACPI events has room");
    this.queue[(this.words[WORD.head]! + this.waiting) % this.queue.length] = slot * 1024 + notify;
    this.words[WORD.count]!++;
  }

  /** Takes the oldest event: slot * 1024 + notify value, or -1. */
  take(): number {
    if (this.words[WORD.count] === 0) return -1;
    const head = this.words[WORD.head]!;
    this.words[WORD.head] = (head + 1) % this.queue.length;
    this.words[WORD.count]!--;
    return this.queue[head]!;
  }

  /** The arrays that a snapshot copies. */
  views(): ArrayBufferView[] {
    return [this.bound, this.starts, this.sizes, this.groups, this.queue, this.words];
  }
}
