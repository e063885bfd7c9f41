import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { sharedData } from "../../../test/shared-data.ts";
import type { VirtioMemRequestType } from "../../abi/virtio-mem/request.ts";
import { BLOCKED } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { virtioMemMutex } from "../locks.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { storeBlockState } from "../memory-hotplug/block-sysfs.ts";
import { loggedHooks, scriptHooks } from "../memory-hotplug/testing/hook-log.ts";
import { hotplugKernel } from "../memory-hotplug/testing/hotplug-kernel.ts";
import { newTask, run } from "../testing/fake-kernel.ts";
import { VM } from "./driver.ts";
import { virtioMemProbe } from "./probe.ts";
import { responseErrno } from "./request.ts";
import { SBM, SBM_STATES } from "./states.ts";
import { FakeVirtioMem } from "./testing/fake-device.ts";
import { BLOCK_SIZE, FIRST, GIB, MIB, oneDevice, REGION } from "./testing/one-device.ts";
import { virtioMemConfigChanged, virtioMemRunWork, virtioMemTimerExpired } from "./work.ts";

it("maps every response to the driver's errno", () => {
  const requests: VirtioMemRequestType[] = ["PLUG", "UNPLUG", "UNPLUG_ALL", "STATE"];
  const rows = requests.map((request) => [0, 1, 2, 3, 4].map((response) => responseErrno(request, response)));
  expect(rows).toEqual([
    [0, -11, -26, -22, -12],
    [0, -12, -26, -22, -12],
    [0, -12, -26, -12, -12],
    [0, -12, -12, -22, -12],
  ]);
});

const console = sharedData("logs", "rec-virtiomem-2node.console.log");
it.skipIf(console === undefined)(
  "prints what a recorded guest with two devices printed (skipped without it)",
  () => {
    const devices = [
      new FakeVirtioMem(0x1_0000_0000, 8 * GIB, 2 * MIB, "virtio0", 0),
      new FakeVirtioMem(0x3_0000_0000, 4 * GIB, 2 * MIB, "virtio1", 1),
    ];
    const ram = [{ start: 0, end: 2 * GIB, node: 0 }];
    const { k, log } = hotplugKernel({ top: 64 * GIB, nodes: 2, ram, devices });
    k.blocks.autoOnline = MMOP.ONLINE;
    const request = (device: number, bytes: number): void => {
      devices[device]!.requested = bytes;
      virtioMemConfigChanged(k, device);
      expect(run(k, virtioMemRunWork, device)).toBe(0);
    };
    virtioMemProbe(k, 0);
    request(0, 0x1000_0000);
    virtioMemProbe(k, 1);
    request(1, 0);
    request(0, 0x6000_0000);
    request(1, 0x4000_0000);
    expect(k.iomem.iomemText().match(/virtio.*\n.*virtio_mem/g)).toEqual([
      "virtio0\n  100000000-15fffffff : System RAM (virtio_mem",
      "virtio1\n  300000000-33fffffff : System RAM (virtio_mem",
    ]);
    request(0, 0x800_0000);
    const recorded = readFileSync(console!, "latin1").matchAll(/\] (virtio_mem virtio.*?)\r?\n/g);
    expect(log.filter((line) => line.startsWith("virtio_mem"))).toEqual(
      [...recorded].map((match) => match[1]),
    );
    expect(k.iomem.iomemText()).toContain("  100000000-107ffffff : System RAM (virtio_mem)\n300000000");
  },
);

it("plugs from the bottom, one request a block, and unplugs from the top", () => {
  const { device, resize, k } = oneDevice();
  expect(resize(BLOCK_SIZE * 2 + 6 * MIB)).toBe(0);
  expect(device.log).toEqual(["PLUG 0+64 ACK", "PLUG 64+64 ACK", "PLUG 128+3 ACK"]);
  device.log.length = 0;
  expect(resize(BLOCK_SIZE)).toBe(0);
  // The partial block goes first, sub-block by sub-block; then a whole block in one request.
  expect(device.log).toEqual([
    "UNPLUG 130+1 ACK",
    "UNPLUG 129+1 ACK",
    "UNPLUG 128+1 ACK",
    "UNPLUG 64+64 ACK",
  ]);
  expect([0, 1, 2].map((n) => k.blocks.stateOf(FIRST + n))).toEqual([BLOCK.ONLINE, 0, 0]);
});

it("fills holes before it begins new blocks, a request a run of neighbours", () => {
  const { device, resize, vm } = oneDevice();
  resize(BLOCK_SIZE);
  // Sub-blocks 63 and 61 go; 62 is refused once and stays.
  device.script = (type, addr) => (type === 1 && addr === REGION + 62 * 2 * MIB ? 2 : undefined);
  resize(BLOCK_SIZE - 2 * MIB);
  device.script = undefined;
  expect(vm.words[VM.PLUGGED]).toBe(BLOCK_SIZE - 2 * MIB);
  device.log.length = 0;
  resize(BLOCK_SIZE + 4 * MIB);
  expect(device.log).toEqual(["PLUG 63+1 ACK", "PLUG 64+2 ACK"]);
});

it("treats a request smaller than a sub-block as done", () => {
  const { device, resize, vm } = oneDevice({ deviceBlock: MIB });
  expect(vm.layout.subBlockSize).toBe(2 * MIB);
  expect(resize(MIB)).toBe(0);
  expect(device.log).toEqual([]);
  expect(resize(3 * MIB)).toBe(0);
  expect(device.log).toEqual(["PLUG 0+2 ACK"]);
});

it("stops adding while 1 GiB is offline, and goes on when half of it came online", () => {
  const { k, device, resize, vm, work } = oneDevice({ online: MMOP.OFFLINE });
  expect(resize(2 * GIB)).toBe(ERRNO.ENOSPC);
  expect(vm.words[VM.OFFLINE_SIZE]).toBe(GIB);
  expect(device.pluggedSize()).toBe(GIB);
  expect([vm.words[VM.TIMER_MS], vm.words[VM.WORK_PENDING]]).toEqual([0, 0]);
  for (let n = 0; n < 3; n++) run(k, storeBlockState, FIRST + n, MMOP.ONLINE);
  expect(vm.words[VM.WORK_PENDING]).toBe(0);
  run(k, storeBlockState, FIRST + 3, MMOP.ONLINE);
  expect(vm.words[VM.WORK_PENDING]).toBe(1);
  expect(work()).toBe(ERRNO.ENOSPC);
  expect(device.pluggedSize()).toBe(GIB + 4 * BLOCK_SIZE);
});

it("plugs no further than the usable region", () => {
  const { device, resize } = oneDevice();
  device.usable = BLOCK_SIZE + BLOCK_SIZE / 2;
  expect(resize(2 * BLOCK_SIZE)).toBe(ERRNO.ENOSPC);
  expect(device.log).toEqual(["PLUG 0+64 ACK"]);
});

it("denies onlining of a block that it has just given up, and says so", () => {
  const { k, vm, resize, log } = oneDevice({ online: MMOP.OFFLINE });
  resize(BLOCK_SIZE);
  vm.sbmEvent(FIRST, "sub-block unplugged");
  vm.sbmEvent(FIRST, "removed");
  expect(run(k, storeBlockState, FIRST, MMOP.ONLINE)).toBe(ERRNO.EPERM);
  expect(log.at(-1)).toBe("virtio_mem virtio0: memory block onlining denied");
  expect(k.locks.isFree(virtioMemMutex(0))).toBe(true);
  expect(vm.words[VM.OFFLINE_SIZE]).toBe(BLOCK_SIZE);
});

it("unplugs offline blocks in one request a run and removes what is empty", () => {
  const { device, resize, vm } = oneDevice({ online: MMOP.OFFLINE });
  resize(BLOCK_SIZE);
  device.log.length = 0;
  expect(resize(BLOCK_SIZE - 8 * MIB)).toBe(0);
  expect(vm.stateOf(FIRST)).toBe(SBM.OFFLINE_PARTIAL);
  expect(resize(0)).toBe(0);
  expect(device.log).toEqual(["UNPLUG 60+4 ACK", "UNPLUG 0+60 ACK"]);
  expect([vm.stateOf(FIRST), vm.words[VM.OFFLINE_SIZE]]).toEqual([SBM.UNUSED, 0]);
});

it("leaves online memory alone with unplug_online=N, and comes back when it went offline", () => {
  const { k, device, resize, vm, work } = oneDevice({ options: { unplugOnline: false } });
  resize(BLOCK_SIZE);
  expect(resize(0)).toBe(0);
  expect(device.pluggedSize()).toBe(BLOCK_SIZE);
  run(k, storeBlockState, FIRST, MMOP.OFFLINE);
  expect(vm.words[VM.WORK_PENDING]).toBe(1);
  expect(work()).toBe(0);
  expect(device.pluggedSize()).toBe(0);
});

it("follows the zone of a block and keeps the state through offline and online", () => {
  const { k, vm, resize } = oneDevice({ online: MMOP.ONLINE_MOVABLE });
  resize(BLOCK_SIZE + 2 * MIB);
  const names = () => [0, 1].map((n) => SBM_STATES[vm.stateOf(FIRST + n)]);
  expect(names()).toEqual(["MOVABLE", "MOVABLE_PARTIAL"]);
  for (const n of [0, 1]) expect(run(k, storeBlockState, FIRST + n, MMOP.OFFLINE)).toBe(0);
  expect(names()).toEqual(["OFFLINE", "OFFLINE_PARTIAL"]);
  for (const n of [0, 1]) expect(run(k, storeBlockState, FIRST + n, MMOP.ONLINE_KERNEL)).toBe(0);
  expect(names()).toEqual(["KERNEL", "KERNEL_PARTIAL"]);
  expect([...vm.counts]).toEqual([0, 0, 0, 0, 1, 1, 0, 0]);
});

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
