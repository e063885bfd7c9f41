import { expect, it } from "vitest";
import { consoleLog } from "./console-log.ts";
import { oopsesOf } from "./kernel-oopses.ts";

const log = (lines: readonly string[]) =>
  consoleLog(lines.map((line, at) => `[    4.${String(709_590 + at)}] ${line}`).join("\r\n"));
const texts = (...lines: readonly string[]) => oopsesOf(log(lines)).map(({ text }) => text);

const PAGE_FAULT = [
  "BUG: kernel NULL pointer dereference, address: 0000000000000000",
  "#PF: supervisor read access in kernel mode",
  "Oops: Oops: 0000 [#1] PREEMPT SMP PTI",
  "CPU: 0 UID: 0 PID: 12 Comm: kworker/u4:0 Not tainted 6.12.117 #1",
  "RIP: 0010:phys_pmd_init+0x96/0x500",
  "Code: 89 ed 48 c1 e8 12 48 81",
  "---[ end trace 0000000000000000 ]---",
  "RIP: 0010:phys_pmd_init+0x96/0x500",
];

it("an oops is told of once, by its first line and its place, and keeps the lines that name it", () => {
  expect(oopsesOf(log(["Freeing memory", ...PAGE_FAULT, "virtio_mem: plugged"]))).toEqual([
    {
      text: "BUG: kernel NULL pointer dereference, address: 0000000000000000 in phys_pmd_init+0x96/0x500",
      lines: [PAGE_FAULT[0], PAGE_FAULT[2], PAGE_FAULT[4]],
    },
  ]);
});

it("each oops is one of its own: BUG_ON, a general protection fault, a page in a bad state", () => {
  expect(
    texts(
      ...PAGE_FAULT,
      "kernel BUG at mm/page_alloc.c:7126!",
      "Oops: invalid opcode: 0000 [#2] PREEMPT SMP PTI",
      "RIP: 0010:accept_page+0x1/0x20",
      "Oops: general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#3] SMP",
      "RIP: 0010:list_del+0x2/0x20",
      "BUG: Bad page state in process sh  pfn:1234",
      "BUG: Bad page state in process sh  pfn:1235",
    ).slice(1),
  ).toEqual([
    "kernel BUG at mm/page_alloc.c:7126! in accept_page+0x1/0x20",
    "Oops: general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#3] SMP in list_del+0x2/0x20",
    "BUG: Bad page state in process sh  pfn:1234",
    "BUG: Bad page state in process sh  pfn:1235",
  ]);
});

it("a kernel that says who prints is read alike", () => {
  expect(texts("[   T12] kernel BUG at mm/slub.c:1!", "[   T12] RIP: 0010:new_slab+0x1/0x2")).toEqual([
    "kernel BUG at mm/slub.c:1! in new_slab+0x1/0x2",
  ]);
});

it("warnings, and what a busy host brings about, are none", () => {
  expect(
    texts(
      "WARNING: CPU: 0 PID: 1 at mm/memory_hotplug.c:1 add_memory+0x1/0x2",
      "RIP: 0010:add_memory+0x1/0x2",
      "---[ end trace 0000000000000000 ]---",
      "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]",
      "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!",
      "RIP: 0010:clear_page_erms+0x7/0x10",
      "rcu: INFO: rcu_preempt self-detected stall on CPU",
    ),
  ).toEqual([]);
});
