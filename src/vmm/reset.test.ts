import { expect, it } from "vitest";
import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESPONSE } from "../abi/virtio-mem/response.ts";
import { MIB } from "../units.ts";
import type { VmmPolicy } from "./policy.ts";
import { systemReset } from "./reset.ts";
import { Bench, WINDOW } from "./testing/bench.ts";
import type { VirtioMemConfig } from "./vmm.ts";

const { PLUG, UNPLUG_ALL } = VIRTIO_MEM_REQUEST;
const { ACK } = VIRTIO_MEM_RESPONSE;

const bench = (policy: Partial<VmmPolicy> = {}, device: Partial<VirtioMemConfig> = {}): Bench =>
  new Bench({ virtioMem: [{ id: "vm0", size: 64 * MIB, requestedSize: 32 * MIB, ...device }], policy });

it("unplugs all, keeps the target and recomputes the usable region at a system reset", () => {
  const b = bench({ discard: "both" }, { size: 64 * MIB, requestedSize: 64 * MIB, usableExtent: 8 * MIB });
  b.ask(PLUG, 0, 32);
  b.touch(WINDOW);
  b.vmm.setRequestedSize(0, 16 * MIB);
  expect(b.vmm.devices[0]!.usableRegionSize).toBe(64 * MIB);
  b.run(systemReset);
  const { pluggedSize, usableRegionSize, requestedSize } = b.vmm.devices[0]!;
  expect([pluggedSize, usableRegionSize, requestedSize, b.vmm.use.privateBytes]).toEqual([
    0,
    24 * MIB,
    16 * MIB,
    0,
  ]);
  expect(b.events.slice(-2)).toEqual(["MEMORY_DEVICE_SIZE_CHANGE device 0 size 0", "SYSTEM_RESET"]);
});

it("leaves blocks that cannot be taken back to the next driver's UNPLUG_ALL at a system reset", () => {
  const b = bench();
  b.ask(PLUG, 0, 4);
  b.vmm.devices[0]!.migrating = true;
  b.run(systemReset);
  expect(b.vmm.devices[0]!.pluggedSize).toBe(8 * MIB);
  expect(b.vmm.pluggedFrame(WINDOW)).toBe(true);
  b.vmm.devices[0]!.migrating = false;
  expect([b.ask(UNPLUG_ALL), b.vmm.devices[0]!.pluggedSize]).toEqual([ACK, 0]);
});

it("keeps blocks whose pages the guest holds at a system reset", () => {
  const b = bench({ discard: "both" });
  b.tdx.pageRelease = true;
  b.ask(PLUG, 0, 1);
  b.touch(WINDOW);
  b.tdx.accept(WINDOW, WINDOW + 512);
  b.run(systemReset);
  expect([b.vmm.devices[0]!.pluggedSize, b.vmm.use.privateBytes]).toEqual([2 * MIB, 2 * MIB]);
});
