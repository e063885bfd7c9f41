import { describe, expect, it } from "vitest";
import { LinuxWorld } from "../src/lab/world/linux-world.ts";
import { play } from "../src/scenario/player.ts";
import { LAB_NEEDS, LAB_READY } from "./linux-lab.ts";
import { load } from "./model-machine.ts";

/** An emulated guest on a busy machine takes its time. One that hangs is told of long before. */
const PATIENCE = { timeout: 1_200_000 };

/**
 * A 6.12 that adds a DIMM allocates a page table of its direct mapping (two of them, if KASLR has it so), then its memmap
 * by pages of 2 MiB, and by pages of 4 KiB when it has none. Without the memmap the DIMM stays out. Nobody checks whether
 * there was a page table: the thread takes a null pointer for one, and dies.
 *
 * @param first page that there is not, from 1
 */
const pagesMissing = (first: number): string => `
name: memmap
title: a DIMM that there are no pages for
machine: {memory: 1G, vcpus: 1, slots: 1, maxmem: 3G, firmware: {unaccepted: all}}
guest: {kernel: 6.12, accept: lazy, design: bitmaps, autoOnline: online_movable}
faults:
  - alloc_pages at ${first} (200 times) answers -ENOMEM
  - {call: alloc_pages, at: 1000000, answer: -ENOMEM}
steps:
  - boot
  - plug: {dimm: d0, size: 128M}
  - expect: {range: {at: 4G, size: 128M, plugged: true, online: false}}
expect: {machine: running}
`;

/** Two drivers are in one function at once, and the design's own calls are late too. */
const LATE = `
name: late
title: a design's calls and the answers of two devices are late
machine:
  {memory: 1G, vcpus: 2, maxmem: 4G, virtioMem: [{id: vm0, size: 256M}, {id: vm1, size: 256M}], firmware: {unaccepted: all}}
guest: {kernel: 6.12, accept: lazy, design: bitmaps, autoOnline: online_movable}
faults:
  - vm0 PLUG at 1 is late by 50ms
  - vm1 PLUG at 1 is late by 30ms
  - vm1 UNPLUG at 1 is late by 20ms
  - TDG.MEM.PAGE.RELEASE at 3 is late by 40ms
steps:
  - boot
  - parallel: [{resize: {device: vm0, to: 128M}}, {resize: {device: vm1, to: 128M}}]
  - expect:
      device: [{id: vm0, plugged: 128M}, {id: vm1, plugged: 128M}]
  - allocate: {name: heap, size: 300M}
  - free: {name: heap}
  - parallel: [{resize: {device: vm0, to: 0}}, {resize: {device: vm1, to: 0}}]
  - wait: {for: {device: [{id: vm0, plugged: 0}, {id: vm1, plugged: 0}]}, timeout: 60m}
expect: {machine: running}
`;

const playInLinux = async (text: string, append = "") =>
  (await play(load(text), new LinuxWorld({ append }), { version: "test" })).report;

describe.skipIf(!LAB_READY)(`faults of a real kernel${LAB_NEEDS}`, () => {
  it(
    "pages that cannot be allocated keep a DIMM out; a fault that never struck fails",
    PATIENCE,
    async () => {
      const { expectations, faults, violations } = await playInLinux(pagesMissing(2), "nokaslr");
      expect(violations).toEqual([]);
      const unmet = expectations.filter(({ held }) => !held);
      expect(unmet).toMatchObject([
        {
          what: "fault alloc_pages at 1000000 (-ENOMEM)",
          expected: "struck",
          found: expect.stringMatching(/^never: \d+ such calls?$/),
        },
      ]);
      expect(faults[0]!.struck).toBeGreaterThan(0);
      expect(faults[1]!.struck).toBe(0);
    },
  );

  it(
    "a kernel that oopses and goes on fails the run, and the report says where it did so",
    PATIENCE,
    async () => {
      const { verdict, fate, expectations } = await playInLinux(pagesMissing(1), "nokaslr");
      expect([verdict, fate.state]).toEqual(["failed", "running"]);
      const oops = expectations.filter(({ held, what }) => !held && what.includes("oops"));
      expect(oops).toMatchObject([
        {
          line: 11,
          found: expect.stringMatching(/^BUG: kernel NULL pointer .* in phys_pmd_init\+0x\w+\/0x\w+$/),
        },
      ]);
    },
  );

  it("late answers of two devices and of a design's calls lose nothing", PATIENCE, async () => {
    const { verdict, faults } = await playInLinux(LATE);
    expect({ verdict, struck: faults.map(({ struck }) => struck) }).toEqual({
      verdict: "held",
      struck: [1, 1, 1, 1],
    });
  });
});
