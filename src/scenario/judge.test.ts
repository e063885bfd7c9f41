import { expect, it } from "vitest";
import { MACHINE, playText } from "./testing/play-text.ts";

/** Judges one `expect` map after boot and a resize; answers what did not hold. */
const failures = async (expectations: string): Promise<string[]> => {
  const steps = "steps: [boot, {resize: {device: vm0, to: 6M}}]\n";
  const { report } = await playText(`${MACHINE}${steps}expect: ${expectations}\n`);
  return report.expectations
    .filter(({ held }) => !held)
    .map(({ expected, found }) => `${expected} | ${found}`);
};

const cases: readonly (readonly [expectation: string, failure: string | undefined])[] = [
  ["{MemTotal: '4134912'}", undefined],
  ["{MemTotal: '4038M'}", undefined],
  ["{MemTotal: '!= 4038M'}", "!= 4038M | 4134912 kB (4038M)"],
  ["{MemTotal: '4G..5G'}", "4G..5G | 4134912 kB (4038M)"],
  ["{MemTotal: '< 4038M'}", "< 4038M | 4134912 kB (4038M)"],
  ["{MemTotal: '> 4038M'}", "> 4038M | 4134912 kB (4038M)"],
  ["{MemTotal: '<= 4038M', MemFree: '>= 1M'}", undefined],
  ["{nr_unaccepted: '2030M'}", undefined],
  ["{change: {MemTotal: 6M, nr_unaccepted: 1536, MemFree: '>= +6M'}}", undefined],
  ["{change: {MemTotal: -6M}}", "-6M | 6144 kB (6M)"],
  ["{range: {at: 6G, size: 6M, plugged: true, pluggedBit: 1, sept: PENDING, online: true}}", undefined],
  ["{range: {at: 6G, size: 8M, plugged: true}}", "plugged true | plugged false at 0x180600000-0x1807fffff"],
  ["{range: {at: 5G, size: 4G, use: unaccepted}}", "use unaccepted | use none at 0x180600000-0x1bfffffff"],
  ["{range: {at: 8G, size: 4G, plugged: false, unacceptedBit: 0, pluggedBit: 0}}", undefined],
  [
    "{range: {at: 13G, size: 2G, plugged: false, unacceptedBit: 0}}",
    "plugged false, unacceptedBit 0 | unacceptedBit none at 0x380000000-0x3bfffffff",
  ],
  [
    "{range: {at: 0xfff00000, size: 2M, plugged: true}}",
    "plugged true | plugged false at 0xfff00000-0xffffffff",
  ],
  ["{bitmap: {version: 2, physBase: 4G, unitSize: 2M, sizeBytes: 640, tableBytes: 1304}}", undefined],
  ["{bitmap: {physBase: 6G, sizeBytes: 640}}", "physBase 0x180000000 | physBase 0x100000000"],
  ["{bitmap: {setBits: {plugged: '0-1026', unaccepted: '12-1535'}}}", undefined],
  ["{bitmap: {setBits: {plugged: '0-1023'}}}", "plugged 0-1023 | plugged 0-1026"],
  ["{bitmap: none}", "none | a table"],
  ["{dmesg: {contains: 'efi: Unaccepted'}}", undefined],
  ["{dmesg: {matches: '^efi: Unaccepted=0x[0-9a-f]+$'}}", undefined],
  ["{dmesg: {absent: panic}}", undefined],
  ["{dmesg: {contains: panic}}", "such a line | none in 1 lines"],
  ["{dmesg: {absent: efi}}", "no such line | efi: Unaccepted=0x7f000018"],
  ["{iomem: {contains: '100000000-17fffffff : System RAM'}}", undefined],
  ["{tdcalls: {TDG.MEM.PAGE.ACCEPT: 12, TDG.MEM.PAGE.RELEASE: 0}}", undefined],
  ["{tdcalls: {TDG.MEM.PAGE.ACCEPT: '< 12'}}", "< 12 | 12"],
  ["{exits: '1..100', virtualTime: '< 1s'}", undefined],
  ["{virtualTime: '> 1s'}", "> 1s | 10.16 ms"],
  ["{blocks: {size: 128M, online: 33, offline: 0}}", undefined],
  ["{blocks: {size: 2G}}", "2G | 128M"],
  ["{blocks: {states: [{block: '0-15', state: online}, {block: 16, state: absent}]}}", undefined],
  ["{blocks: {states: [{block: '48-49', state: online}]}}", "online | memory49 absent"],
  ["{device: {id: vm0, requested: 6M, plugged: '>= 8M'}}", "plugged >= 8M | plugged 6M"],
  [
    "{device: {id: vm0, blockStates: {48: KERNEL_PARTIAL, 49: MOVABLE}}}",
    "block 49 MOVABLE | block 49 UNUSED",
  ],
  ["{machine: running}", undefined],
  ["{machine: killed}", "killed | running"],
  ["{status: SUCCESS}", undefined],
  ["{broken: I1}", "broken | held"],
];

it.each(cases)("%s", async (expectation, failure) => {
  expect(await failures(expectation)).toEqual(failure === undefined ? [] : [failure]);
});
