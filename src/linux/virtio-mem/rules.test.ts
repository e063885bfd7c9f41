import fc from "fast-check";
import { expect, it } from "vitest";
import { getBit } from "../../flat/bitmap.ts";
import { BLOCKED, type Frame } from "../../flat/procedure.ts";
import { geometry, X86_64 } from "../geometry.ts";
import type { Kernel } from "../kernel.ts";
import { USE, useOf } from "../mem-map.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { storeBlockState } from "../memory-hotplug/block-sysfs.ts";
import { hotplugKernel } from "../memory-hotplug/testing/hotplug-kernel.ts";
import { allocPages, freePages } from "../page-allocator/alloc.ts";
import { GFP } from "../page-allocator/gfp.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { type FakeKernel, newTask, run } from "../testing/fake-kernel.ts";
import { type VirtioMemDriver, VM } from "./driver.ts";
import { virtioMemProbe } from "./probe.ts";
import { SBM } from "./states.ts";
import { FakeVirtioMem } from "./testing/fake-device.ts";
import { virtioMemConfigChanged, virtioMemRunWork, virtioMemTimerExpired } from "./work.ts";

const MIB = 2 ** 20;
const PLUG = 0;

interface World extends FakeKernel {
  readonly device: FakeVirtioMem;
  readonly vm: VirtioMemDriver;
  readonly work: Frame<Kernel>;
  readonly sysfs: Frame<Kernel>;
}

/** Sub-block bits are the device's bits, and their sum is what both call plugged (I34). */
const checkBits = ({ device, vm }: World): void => {
  // What was plugged before the driver came has no bits.
  if (vm.has(VM.UNPLUG_ALL_REQUIRED) || vm.has(VM.IN_FLIGHT)) return;
  const perSubBlock = vm.layout.subBlockSize / device.blockSize;
  const first = (vm.addressOf(vm.layout.firstBlock) - device.addr) / device.blockSize;
  for (let bit = 0; bit < vm.layout.blocks * vm.subBlocks; bit++) {
    for (let n = 0; n < perSubBlock; n++)
      expect(device.blocks[first + bit * perSubBlock + n]).toBe(getBit(vm.plugged, bit) ? 1 : 0);
  }
  expect(vm.words[VM.PLUGGED]).toBe(device.pluggedSize());
};

/** Uses of pages that the allocator was given and that nobody took from it for good. */
const MANAGED = new Set<number>([USE.FREE, USE.UNACCEPTED, USE.ALLOCATED, USE.MOVABLE]);

/** What must hold when nothing runs: counts, offline size, the allocator's own rules. */
const checkRest = (world: World): void => {
  const { k, vm } = world;
  const counts = new Array(8).fill(0);
  let offline = 0;
  for (let block = vm.layout.firstBlock; block < vm.words[VM.NEXT_BLOCK]!; block++) {
    counts[vm.stateOf(block)]++;
    if (vm.layout.sbm) {
      const full = vm.allPlugged(block, 0, vm.subBlocks);
      const state = vm.stateOf(block);
      if (state >= SBM.OFFLINE) expect(state % 2 === 0).toBe(full);
      if (state === SBM.UNUSED) expect(vm.allUnplugged(block, 0, vm.subBlocks)).toBe(true);
    }
  }
  for (const block of k.blocks.present()) {
    const inRegion = block * k.blocks.blockSize >= world.device.addr;
    if (inRegion && k.blocks.stateOf(block) === BLOCK.OFFLINE) offline += k.blocks.blockSize;
  }
  let managed = 0;
  for (const byte of k.mm.use) if (MANAGED.has(useOf(byte))) managed++;
  expect(k.zones.sum(k.zones.managed)).toBe(managed);
  expect([...vm.counts]).toEqual(counts);
  expect(vm.words[VM.OFFLINE_SIZE]).toBe(offline);
  expect(brokenAllocatorRules(world)).toEqual([]);
};

const makeWorld = (tiny: boolean, forceBbm: boolean, leftover: boolean, online: number): World => {
  const unit = 2 * MIB;
  const g = tiny ? geometry(21, 0, 1, 23) : X86_64;
  const blockSize = g.sectionSize;
  const base = 64 * blockSize;
  const device = new FakeVirtioMem(base, 6 * blockSize, unit);
  const ram = [{ start: 0, end: (tiny ? 2 : 1) * blockSize, node: 0 }];
  const fake = hotplugKernel({
    geometry: g,
    top: 80 * blockSize,
    ram,
    devices: [device],
    options: { forceBbm },
  });
  if (leftover) device.blocks.fill(1, 0, 3);
  const vm = fake.k.virtioMem[0]!;
  virtioMemProbe(fake.k, 0);
  vm.words[VM.OFFLINE_THRESHOLD] = 3 * blockSize;
  fake.k.blocks.autoOnline = online;
  return { ...fake, device, vm, work: newTask(0, 0), sysfs: newTask(1, 0) };
};

const command = fc.oneof(
  fc.record({ kind: fc.constant("resize" as const), units: fc.nat(24) }),
  fc.record({ kind: fc.constant("sysfs" as const), block: fc.nat(2), type: fc.nat(3) }),
  fc.record({ kind: fc.constant("sysfs" as const), block: fc.nat(5), type: fc.constant(0) }),
  fc.record({ kind: fc.constant("drain" as const) }),
  fc.record({ kind: fc.constant("drain" as const) }),
  fc.record({ kind: fc.constant("alloc" as const), order: fc.nat(1), movable: fc.boolean() }),
  fc.record({ kind: fc.constant("free" as const), which: fc.nat(9) }),
  fc.record({ kind: fc.constant("timer" as const) }),
  fc.record({ kind: fc.constant("answers" as const), bits: fc.array(fc.nat(9), { maxLength: 4 }) }),
  fc.record({ kind: fc.constant("online" as const), type: fc.nat(3) }),
  fc.record({ kind: fc.constant("steps" as const), which: fc.array(fc.nat(1), { maxLength: 40 }) }),
);

/** Lets a task do a step and looks at the rules that hold at every step. */
const stepOne = (world: World, task: Frame<Kernel>): boolean => {
  const { k, vm, device } = world;
  if (task.idle) return false;
  const wasBroken = vm.has(VM.BROKEN);
  const required = vm.has(VM.UNPLUG_ALL_REQUIRED);
  const sent = device.log.length;
  const went = task.step(k) !== BLOCKED;
  if (device.log.length > sent) {
    expect(wasBroken).toBe(false);
    const plug = /^PLUG (\d+)/.exec(device.log.at(-1)!);
    if (plug !== null) {
      expect(required).toBe(false);
      const block = vm.blockAt(device.addr + Number(plug[1]) * device.blockSize);
      // A block that is not in Linux yet is plugged only if it may be offline for a while (I35).
      if (vm.stateOf(block) === SBM.UNUSED) expect(vm.couldAdd(vm.layout.blockSize)).toBe(true);
    }
  }
  return went;
};

const startWork = ({ vm, work }: World): void => {
  if (work.idle && vm.has(VM.WORK_PENDING)) work.start(virtioMemRunWork, 0);
};

/** Runs everything to its end. The guest never deadlocks. */
const drain = (world: World): void => {
  const { work, sysfs } = world;
  for (let n = 0; n < 100_000; n++) {
    startWork(world);
    if (work.idle && sysfs.idle) return;
    const went = [stepOne(world, work), stepOne(world, sysfs)];
    if (went.includes(true)) continue;
    // Offlining may wait for memory for ever; a signal ends it. The worker cannot be signalled.
    if (sysfs.where !== "memory_block_offline:stuck")
      throw new Error(`deadlock at ${work.where}, ${sysfs.where}`);
    world.k.blocks.signal(sysfs.task);
  }
  throw new Error(`no end at ${work.where}, ${sysfs.where}`);
};

const play = (
  world: World,
  commands: readonly (typeof command extends fc.Arbitrary<infer C> ? C : never)[],
) => {
  const { k, vm, device } = world;
  const unit = 2 * MIB;
  const held: [number, number][] = [];
  const answers: number[] = [];
  device.script = (type) => {
    const answer = answers.shift();
    // 0 to 6: by the device's rules; then NACK or BUSY; and, rarely, an ERROR, which breaks the driver.
    if (answer === undefined || answer < 7) return undefined;
    if (answer === 9) return type === PLUG ? 2 : 3;
    return answer === 7 ? 2 : 1;
  };
  const low = vm.words[VM.OFFLINE_THRESHOLD]!;
  for (const c of commands) {
    if (c.kind === "resize") {
      device.requested = Math.min(c.units * unit, device.regionSize);
      virtioMemConfigChanged(k, 0);
    } else if (c.kind === "sysfs" && world.sysfs.idle) {
      world.sysfs.start(storeBlockState, vm.layout.firstBlock + c.block, c.type);
    } else if (c.kind === "alloc") {
      const pfn = run(k, allocPages, c.order, c.movable ? GFP.MOVABLE : 0, 0, 5);
      if (pfn >= 0 && !c.movable) held.push([pfn, c.order]);
    } else if (c.kind === "free" && held.length > 0) {
      const [pfn, order] = held.splice(c.which % held.length, 1)[0]!;
      freePages(k, pfn, order);
    } else if (c.kind === "timer" && vm.has(VM.TIMER_MS)) virtioMemTimerExpired(k, 0);
    else if (c.kind === "answers") answers.push(...c.bits);
    else if (c.kind === "online") k.blocks.autoOnline = c.type;
    else if (c.kind === "drain") {
      drain(world);
      checkBits(world);
      checkRest(world);
    } else if (c.kind === "steps") {
      for (const which of c.which) {
        startWork(world);
        stepOne(world, which === 0 ? world.work : world.sysfs);
        checkBits(world);
      }
    }
    expect(vm.words[VM.OFFLINE_THRESHOLD]).toBe(low);
  }
  drain(world);
  checkBits(world);
  checkRest(world);
};

const worlds: readonly [string, boolean, boolean, boolean, number][] = [
  ["sub-blocks of a tiny geometry", true, false, false, 120],
  ["sub-blocks with memory left over from before", true, false, true, 50],
  ["big blocks of a tiny geometry", true, true, false, 60],
  ["sub-blocks of x86", false, false, false, 6],
];
for (const [name, tiny, bbm, leftover, numRuns] of worlds) {
  it(`keeps the device's bits, counts, offline limit and allocator through any sequence: ${name}`, () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30, size: "max" }), fc.nat(3), (commands, online) =>
        play(makeWorld(tiny, bbm, leftover, online), commands),
      ),
      { numRuns },
    );
  });
}

it("brings the plugged size to the request when nothing is busy and nobody refuses", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(24), { minLength: 1, maxLength: 12 }), fc.boolean(), (targets, bbm) => {
      const world = makeWorld(true, bbm, false, MMOP.ONLINE_MOVABLE);
      for (const units of targets) {
        world.device.requested = units * 2 * MIB;
        virtioMemConfigChanged(world.k, 0);
        drain(world);
        const grain = world.vm.layout.subBlockSize;
        const { requested } = world.device;
        const plugged = world.device.pluggedSize();
        expect(Math.abs(requested - plugged)).toBeLessThan(grain);
        if (!bbm) expect(plugged).toBe(requested);
      }
    }),
    { numRuns: 100 },
  );
});
