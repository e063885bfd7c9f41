import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { sharedData } from "../../../test/shared-data.ts";
import type { VirtioMemRequestType } from "../../abi/virtio-mem/request.ts";
import { ERRNO } from "../errno.ts";
import { virtioMemMutex } from "../locks.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { storeBlockState } from "../memory-hotplug/block-sysfs.ts";
import { hotplugKernel } from "../memory-hotplug/testing/hotplug-kernel.ts";
import { run } from "../testing/fake-kernel.ts";
import { VM } from "./driver.ts";
import { virtioMemProbe } from "./probe.ts";
import { responseErrno } from "./request.ts";
import { SBM, SBM_STATES } from "./states.ts";
import { FakeVirtioMem } from "./testing/fake-device.ts";
import { BLOCK_SIZE, FIRST, GIB, MIB, oneDevice, REGION } from "./testing/one-device.ts";
import { virtioMemConfigChanged, virtioMemRunWork } from "./work.ts";

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
