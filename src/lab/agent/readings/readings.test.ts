import fc from "fast-check";
import { expect, it } from "vitest";
import { parseDmesg } from "./dmesg.ts";
import { parseIomem, systemRam } from "./iomem.ts";
import { parseKallsyms } from "./kallsyms.ts";
import { parseMeminfo } from "./meminfo.ts";
import { parseSnapshot } from "./snapshot.ts";
import { parseVirtioMemDriver } from "./virtio-mem-driver.ts";
import { parseVmstat } from "./vmstat.ts";

it("meminfo's fields have the kernel's names, in KiB; a node's have no prefix", () => {
  const fields = parseMeminfo(
    "MemTotal:         998312 kB\nActive(anon):  4 kB\nHugePages_Total:       2\n\nnonsense\n",
  );
  expect([...fields]).toEqual([
    ["MemTotal", 998312],
    ["Active(anon)", 4],
    ["HugePages_Total", 2],
  ]);
  expect([...parseMeminfo("Node 1 MemFree:   12 kB\nNode 1 Unaccepted: 2048 kB")]).toEqual([
    ["MemFree", 12],
    ["Unaccepted", 2048],
  ]);
});

it("iomem's ranges have their depth, and RAM is found below a device as well", () => {
  const ranges = parseIomem(
    "00001000-0009fbff : System RAM\n140000000-17fffffff : virtio0\n  140000000-147ffffff : System RAM (virtio_mem)\n",
  );
  expect(ranges).toEqual([
    { depth: 0, start: 0x1000n, end: 0x9fbffn, name: "System RAM" },
    { depth: 0, start: 0x140000000n, end: 0x17fffffffn, name: "virtio0" },
    { depth: 1, start: 0x140000000n, end: 0x147ffffffn, name: "System RAM (virtio_mem)" },
  ]);
  expect(systemRam(ranges).map(({ start }) => start)).toEqual([0x1000n, 0x140000000n]);
});

it("a message has its level, its time and the lines that continue it", () => {
  const log =
    "<6>[    0.000000] Linux version 6.12\n<30>[   12.345678] a: b\nsecond line\n[    1.5] console's form\r\n";
  expect(parseDmesg(log)).toEqual([
    { level: 6, seconds: 0, text: "Linux version 6.12" },
    { level: 6, seconds: 12.345678, text: "a: b\nsecond line" },
    { level: undefined, seconds: 1.5, text: "console's form" },
  ]);
});

it("a symbol has its address, type and module", () => {
  expect(
    parseKallsyms("ffffffff81000000 T _text\nffffffffc0000010 t virtio_mem_run_wq\t[virtio_mem]\nnonsense\n"),
  ).toEqual([
    { name: "_text", address: 0xffffffff81000000n, type: "T", module: undefined },
    { name: "virtio_mem_run_wq", address: 0xffffffffc0000010n, type: "t", module: "virtio_mem" },
  ]);
});

it("the virtio-mem driver has devices and parameters; without parameters there is none", () => {
  const driver = parseVirtioMemDriver("virtio0\nvirtio12\nbbm_block_size:0\nunplug_online:Y\n");
  expect(driver?.devices).toEqual(["virtio0", "virtio12"]);
  expect([...(driver?.parameters ?? [])]).toEqual([
    ["bbm_block_size", "0"],
    ["unplug_online", "Y"],
  ]);
  expect(parseVirtioMemDriver("")).toBeUndefined();
});

it("vmstat's counters are read by name", () => {
  expect([...parseVmstat("nr_free_pages 12\nnr_unaccepted 3\n")]).toEqual([
    ["nr_free_pages", 12],
    ["nr_unaccepted", 3],
  ]);
});

const SNAPSHOT = `/proc/uptime:5.25 9.10
/proc/meminfo:MemTotal:  100 kB
/proc/meminfo:MemFree:   50 kB
/proc/iomem:00001000-00001fff : System RAM
/proc/iomem:  00001000-000010ff : Kernel code
memory/block_size_bytes:8000000
memory/auto_online_blocks:online_movable
memory/memory10/state:offline
memory/memory9/state:online
memory/memory10/valid_zones:Normal Movable
memory/memory9/valid_zones:Movable
node/node1/meminfo:Node 1 MemTotal:  60 kB
node/node0/meminfo:Node 0 MemTotal:  40 kB
`;

it("a snapshot has blocks and nodes in the order of their numbers, each block its bytes", () => {
  const snapshot = parseSnapshot(SNAPSHOT);
  expect(snapshot.uptime).toBe(5.25);
  expect(snapshot.meminfo.get("MemFree")).toBe(50);
  expect([...snapshot.nodes].map(([node, fields]) => [node, fields.get("MemTotal")])).toEqual([
    [0, 40],
    [1, 60],
  ]);
  expect(snapshot.iomem.map(({ depth, name }) => [depth, name])).toEqual([
    [0, "System RAM"],
    [1, "Kernel code"],
  ]);
  expect(snapshot.blockBytes).toBe(0x8000000n);
  expect(snapshot.autoOnline).toBe("online_movable");
  expect(snapshot.blocks).toEqual([
    { index: 9, start: 0x48000000n, end: 0x50000000n, state: "online", validZones: ["Movable"] },
    { index: 10, start: 0x50000000n, end: 0x58000000n, state: "offline", validZones: ["Normal", "Movable"] },
  ]);
});

it("a kernel without memory hotplug has no blocks and no policy", () => {
  expect(parseSnapshot("/proc/meminfo:MemTotal:  1 kB\n")).toMatchObject({
    blockBytes: 0n,
    autoOnline: undefined,
    blocks: [],
  });
});

it("no text makes a reader throw", () => {
  const line = fc.oneof(fc.string(), fc.constantFrom(...SNAPSHOT.split("\n")));
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const text = lines.join("\n");
      for (const read of [parseDmesg, parseIomem, parseKallsyms, parseMeminfo, parseSnapshot, parseVmstat])
        read(text);
    }),
  );
});
