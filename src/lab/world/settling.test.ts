import { beforeEach, expect, it } from "vitest";
import { QmpEvents } from "../wire/qmp-events.ts";
import { type Asked, type DeviceSizes, deviceSettled, dimmGone, dimmTaken } from "./settling.ts";

const PACE = { quietLooks: 3, busyLooks: 9, pauseMs: 0 };
const at = { seconds: 0, microseconds: 0 };

/** A guest that is looked at; `onLook` is what it does meanwhile. */
class FakeGuest implements Asked {
  readonly events = new QmpEvents();
  readonly qemu = { qmp: this.events };
  readonly remarks: string[] = [];
  readonly devices = { requests: 0 };
  over = false;
  looks = 0;
  memTotal = 1000;
  works = false;
  onLook: (look: number) => void = () => {};
  readonly guest = {
    changesMemory: async (): Promise<boolean> => this.works,
    snapshot: async () => {
      this.onLook(++this.looks);
      return { meminfo: new Map([["MemTotal", this.memTotal]]), blocks: [] };
    },
  };

  ost(device: string, source: number, status: number): void {
    const info = { device, slot: "0", "slot-type": "DIMM", source, status };
    this.events.emit({ name: "ACPI_DEVICE_OST", data: { info }, timestamp: at });
  }

  tell(name: string, device: string): void {
    this.events.emit({ name, data: { device, path: `/machine/peripheral/${device}` }, timestamp: at });
  }
}

let guest: FakeGuest;
beforeEach(() => {
  guest = new FakeGuest();
});

it("a plugged DIMM is taken when the guest says so, and nothing is remarked", async () => {
  const taken = dimmTaken(guest, "d0", PACE);
  guest.onLook = (look) => {
    if (look === 1) guest.ost("d1", 1, 1);
    if (look === 2) guest.ost("d0", 1, 0);
  };
  await taken();
  expect([guest.looks, guest.remarks]).toEqual([2, []]);
});

it("a guest that refuses a DIMM is quoted", async () => {
  const taken = dimmTaken(guest, "d0", PACE);
  guest.ost("d0", 1, 1);
  await taken();
  expect(guest.remarks).toEqual(["plug of d0: the guest answers NON_SPECIFIC_FAILURE"]);
});

it("a guest that answered us often enough and said nothing of a DIMM is waited for no longer", async () => {
  await dimmTaken(guest, "d0", PACE)();
  // The first look is the one that the others are like.
  expect(guest.looks).toBe(1 + PACE.quietLooks);
  expect(guest.remarks).toEqual(["plug of d0: the guest has not told, by _OST, what became of it"]);
});

it("as long as the guest shows something new it is waited for", async () => {
  const taken = dimmTaken(guest, "d0", PACE);
  guest.onLook = (look) => {
    guest.memTotal++;
    if (look === 50) guest.ost("d0", 1, 0);
  };
  await taken();
  expect([guest.looks, guest.remarks]).toEqual([50, []]);
});

it("a kernel that works on memory is given longer, and not for ever", async () => {
  guest.works = true;
  await dimmTaken(guest, "d0", PACE)();
  expect(guest.looks).toBe(1 + PACE.busyLooks);
});

it("a guest that is gone is waited for no longer, and nothing is remarked", async () => {
  guest.onLook = () => {
    guest.over = true;
  };
  await dimmTaken(guest, "d0", PACE)();
  expect([guest.looks, guest.remarks]).toEqual([1, []]);
});

it("a DIMM that the guest gives back is taken away before the wait ends", async () => {
  const done: string[] = [];
  const gone = dimmGone(guest, "d0", async () => void done.push("taken away"), PACE);
  guest.ost("d0", 3, 0x84);
  guest.tell("DEVICE_DELETED", "d0");
  await gone();
  expect([done, guest.remarks]).toEqual([["taken away"], []]);
});

it.each([
  ["DEVICE_BUSY", () => guest.ost("d0", 3, 0x82), "unplug of d0: the guest answers DEVICE_BUSY"],
  [
    "a page that is held",
    () => guest.tell("DEVICE_UNPLUG_GUEST_ERROR", "d0"),
    "unplug of d0: the guest still uses its memory",
  ],
  ["nothing", () => {}, "unplug of d0: the guest does not answer"],
])("an unplug that ends with %s is remarked", async (_, answer, remark) => {
  const gone = dimmGone(guest, "d0", async () => {}, PACE);
  answer();
  await gone();
  expect(guest.remarks).toEqual([remark]);
});

it("a DIMM that goes after it was waited for is taken away all the same", async () => {
  const done: string[] = [];
  await dimmGone(guest, "d0", async () => void done.push("taken away"), PACE)();
  guest.tell("DEVICE_DELETED", "d0");
  await Promise.resolve();
  expect(done).toEqual(["taken away"]);
});

it("what fails when a DIMM is taken away fails the wait", async () => {
  const gone = dimmGone(guest, "d0", () => Promise.reject(new Error("no such object")), PACE);
  guest.tell("DEVICE_DELETED", "d0");
  await expect(gone()).rejects.toThrow("no such object");
});

const MIB = 2 ** 20;
const sizes = (plugged: () => number) => async (): Promise<DeviceSizes> => ({
  ...{ requestedSize: 65 * MIB, blockSize: 2 * MIB, pluggedSize: plugged(), isStuck: false },
});

it("a device that has what was asked for, in whole blocks, is done once the guest works on nothing", async () => {
  guest.works = true;
  guest.onLook = (look) => {
    if (look === 5) guest.works = false;
  };
  await deviceSettled(
    guest,
    "vm0",
    sizes(() => 64 * MIB),
    PACE,
  );
  expect([guest.looks, guest.remarks]).toEqual([6, []]);
});

it("a device that gets its memory after its driver was looked for is not done before that has been found idle", async () => {
  let plugged = 0;
  guest.onLook = (look) => {
    // The worker is looked for before the guest's memory: here it begins in between.
    if (look === 2) [plugged, guest.works] = [64 * MIB, true];
    if (look === 6) guest.works = false;
  };
  await deviceSettled(
    guest,
    "vm0",
    sizes(() => plugged),
    PACE,
  );
  expect([guest.looks, guest.remarks]).toEqual([7, []]);
});

it("a driver that has begun when it was looked for the last time is given more time", async () => {
  let plugged = 0;
  guest.onLook = (look) => {
    if (look === 1 + PACE.quietLooks) [plugged, guest.works] = [64 * MIB, true];
    if (look === 7) guest.works = false;
  };
  await deviceSettled(
    guest,
    "vm0",
    sizes(() => plugged),
    PACE,
  );
  expect(guest.remarks).toEqual([]);
});

it("a device that has less is remarked once its driver asks for nothing more", async () => {
  guest.onLook = (look) => {
    if (look === 4) guest.devices.requests++;
  };
  await deviceSettled(
    guest,
    "vm0",
    sizes(() => 32 * MIB),
    PACE,
  );
  expect(guest.looks).toBeGreaterThan(1 + PACE.quietLooks);
  expect(guest.remarks).toEqual(["vm0: 64M are asked for, the guest has 32M and asks for nothing now"]);
});

it("a driver that waits for a reply for ever is not waited for", async () => {
  guest.works = true;
  await deviceSettled(guest, "vm0", async () => ({ ...(await sizes(() => 0)()), isStuck: true }), PACE);
  expect([guest.looks, guest.remarks]).toEqual([
    1,
    ["vm0: a request got no reply, and its driver waits for one for ever"],
  ]);
});
