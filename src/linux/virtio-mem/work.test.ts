import { expect, it } from "vitest";
import { BLOCKED } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { virtioMemMutex } from "../locks.ts";
import { MMOP } from "../memory-block.ts";
import { storeBlockState } from "../memory-hotplug/block-sysfs.ts";
import { loggedHooks, scriptHooks } from "../memory-hotplug/testing/hook-log.ts";
import { newTask } from "../testing/fake-kernel.ts";
import { VM } from "./driver.ts";
import { virtioMemProbe } from "./probe.ts";
import { SBM, SBM_STATES } from "./states.ts";
import { BLOCK_SIZE, FIRST, GIB, MIB, oneDevice, REGION } from "./testing/one-device.ts";
import { virtioMemConfigChanged, virtioMemRunWork, virtioMemTimerExpired } from "./work.ts";

it("doubles the retry delay up to 300 s and goes back to 50 s after a success", () => {
  const { k, device, resize, vm, work } = oneDevice();
  device.script = () => 2;
  const delays: number[] = [];
  expect(resize(2 * MIB)).toBe(ERRNO.ETXTBSY);
  for (let n = 0; n < 5; n++) {
    delays.push(vm.words[VM.TIMER_MS]!);
    virtioMemTimerExpired(k, 0);
    expect([vm.words[VM.TIMER_MS], vm.words[VM.WORK_PENDING]]).toEqual([0, 1]);
    work();
  }
  expect(delays).toEqual([50_000, 100_000, 200_000, 300_000, 300_000]);
  expect(vm.words[VM.TIMER_ARMINGS]).toBe(6);
  device.script = undefined;
  expect(resize(2 * MIB)).toBe(0);
  expect([vm.words[VM.TIMER_MS], vm.words[VM.RETRY_MS]]).toEqual([0, 50_000]);
});

it("breaks for ever on an answer that it does not expect, and never sends again", () => {
  const { device, resize, vm, log } = oneDevice();
  device.script = () => 3;
  expect(resize(2 * MIB)).toBe(ERRNO.EINVAL);
  expect(log.at(-1)).toBe("virtio_mem virtio0: unknown error, marking device broken: -22");
  device.script = undefined;
  device.log.length = 0;
  resize(4 * MIB);
  expect([device.log, vm.words[VM.BROKEN]]).toEqual([[], 1]);
});

it("reads the configuration again and goes on at once when it changes in the middle", () => {
  const { k, device, resize, log } = oneDevice();
  device.script = (type) => {
    if (type !== 0 || device.requested === 4 * MIB) return undefined;
    device.requested = 4 * MIB;
    virtioMemConfigChanged(k, 0);
    return 1;
  };
  expect(resize(GIB)).toBe(0);
  expect(device.log).toEqual(["PLUG 0+64 NACK", "PLUG 0+2 ACK"]);
  expect(log.filter((line) => line.includes("requested"))).toEqual([
    "virtio_mem virtio0: requested size: 0x40000000",
    "virtio_mem virtio0: requested size: 0x400000",
  ]);
});

it("sends nothing once the configuration changed between two requests", () => {
  const { k, device, resize } = oneDevice();
  device.script = (_type, addr) => {
    if (addr === REGION && device.requested === GIB) {
      device.requested = BLOCK_SIZE;
      virtioMemConfigChanged(k, 0);
      return 0;
    }
    return undefined;
  };
  expect(resize(GIB)).toBe(0);
  expect(device.log).toEqual(["PLUG 0+64 ACK"]);
});

it("unplugs everything first when memory was plugged before it came", () => {
  const { k, device, vm, work, log } = oneDevice({ probe: false });
  device.blocks.fill(1, 0, 7);
  device.requested = 2 * MIB;
  expect(virtioMemProbe(k, 0)).toBe(0);
  expect(log.at(-1)).toBe("virtio_mem virtio0: unplugging all memory is required");
  device.script = (type) => (type === 2 ? 2 : undefined);
  expect(work()).toBe(ERRNO.ETXTBSY);
  expect([device.log, vm.words[VM.TIMER_MS]]).toEqual([["UNPLUG_ALL BUSY"], 50_000]);
  device.script = undefined;
  expect(work()).toBe(0);
  expect(device.log.slice(1)).toEqual(["UNPLUG_ALL ACK", "PLUG 0+1 ACK"]);
});

it("does not probe a region that something else has, in the words of the recorded failure", () => {
  const { k, log } = oneDevice({ probe: false });
  k.iomem.request(REGION, GIB, k.iomem.intern("virtio9"), 1);
  expect(virtioMemProbe(k, 0)).toBe(ERRNO.EBUSY);
  expect(log.slice(-3)).toEqual([
    "virtio_mem virtio0: could not reserve device region",
    "virtio_mem virtio0: reloading the driver is not supported",
    "virtio_mem virtio0: probe with driver virtio_mem failed with error -16",
  ]);
});

it("puts what it could not add back, or keeps it PLUGGED and tidies up later", () => {
  const { k, device, resize, vm, log, work } = oneDevice();
  k.blocks.failArchAdd(1);
  expect(resize(2 * MIB)).toBe(ERRNO.ENOMEM);
  expect(device.log).toEqual(["PLUG 0+1 ACK", "UNPLUG 0+1 ACK"]);
  expect(log.at(-1)).toBe("virtio_mem virtio0: adding memory failed: -12");
  expect([vm.stateOf(FIRST), vm.words[VM.OFFLINE_SIZE]]).toEqual([SBM.UNUSED, 0]);
  k.blocks.failArchAdd(1);
  device.script = (type) => (type === 1 ? 2 : undefined);
  expect(work()).toBe(ERRNO.ENOMEM);
  expect(vm.stateOf(FIRST)).toBe(SBM.PLUGGED);
  device.script = undefined;
  device.log.length = 0;
  expect(work()).toBe(0);
  expect(device.log).toEqual(["UNPLUG 0+1 ACK", "PLUG 0+1 ACK"]);
});

it("calls the design's hooks around the requests, and obeys a refusal", () => {
  const { k, device, resize, vm } = oneDevice({ design: loggedHooks });
  const script = scriptHooks(k);
  const requests = () => script.log.filter((line) => line.startsWith("virtio"));
  resize(2 * MIB);
  device.script = (type) => (type === 1 ? 2 : undefined);
  resize(0);
  expect(script.log.at(-1)).toBe("fakeOnlineContiguous 200000000+200000");
  device.script = undefined;
  resize(0);
  expect(requests()).toEqual([
    "virtioPlugged 200000000+200000",
    "virtioUnplug 200000000+200000",
    "virtioUnplugAnswered 200000000+200000 2",
    "virtioUnplug 200000000+200000",
    "virtioUnplugAnswered 200000000+200000 0",
  ]);
  script.answers.virtioPlugged = ERRNO.EINVAL;
  expect(resize(2 * MIB)).toBe(ERRNO.EINVAL);
  // The device has plugged it, the driver does not count it as a sub-block, and is broken.
  expect([device.pluggedSize(), vm.words[VM.PLUGGED], vm.words[VM.BROKEN]]).toEqual([2 * MIB, 2 * MIB, 1]);
  expect(vm.allUnplugged(FIRST, 0, 64)).toBe(true);
});

it("waits for the answer while other tasks go on", () => {
  const { k, device } = oneDevice();
  device.requested = 2 * MIB;
  device.stalled = true;
  const f = newTask(1, 0);
  f.start(virtioMemRunWork, 0);
  for (let steps = 0; f.step(k) !== BLOCKED; steps++) expect(steps).toBeLessThan(100);
  expect(f.where).toBe("virtio_mem_send_request:wait");
  device.stalled = false;
  while (!f.idle) f.step(k);
  expect(f.result).toBe(0);
});

it("an onliner waits for the mutex of a device that is plugging, and the other way round", () => {
  const { k, device, resize, vm } = oneDevice({ online: MMOP.OFFLINE });
  resize(BLOCK_SIZE - 2 * MIB);
  device.requested = BLOCK_SIZE;
  virtioMemConfigChanged(k, 0);
  device.stalled = true;
  const work = newTask(1, 0);
  const online = newTask(2, 0);
  work.start(virtioMemRunWork, 0);
  while (work.step(k) !== BLOCKED);
  online.start(storeBlockState, FIRST, MMOP.ONLINE);
  while (online.step(k) !== BLOCKED);
  expect([k.locks.heldBy(virtioMemMutex(0), 1), online.where]).toEqual([
    true,
    "notify MEM_GOING_ONLINE:device",
  ]);
  device.stalled = false;
  while (!work.idle) work.step(k);
  while (!online.idle) online.step(k);
  expect([work.result, online.result, SBM_STATES[vm.stateOf(FIRST)]]).toEqual([0, 0, "KERNEL"]);
});
