import { E820_TYPE, type E820Entry } from "../../abi/boot-params/e820.ts";
import type { Kernel } from "../../linux/kernel.ts";
import { KEXEC } from "../../linux/kexec/kexec.ts";
import { segmentsOf } from "../../linux/kexec/segments.ts";
import { RAM_AREA, VIRTIO_MEM_AREA } from "../../vmm/memory-map.ts";
import type { Vmm } from "../../vmm/vmm.ts";
import { ACCEPTED, acceptedOf, isAcceptedPage, pluggedBit, unacceptedBit } from "../facts.ts";
import type { Machine } from "../machine.ts";
import { memoryOf } from "../watched.ts";

const UNIT = 2 ** 21;
const PAGE = 4096;

/** How a kernel says that it could not take everything back. @source Linux arch/x86/coco/tdx/tdx.c */
const SAID = /Failed to unshare range|Failed to stop shared<->private conversions/;

/** Runs of boot memory that the host has as shared memory. Boot memory starts private, so the guest shared them. */
export const sharedBootMemory = (vmm: Vmm): { start: number; end: number }[] =>
  vmm.map.areas.flatMap(({ kind }, area) => {
    if (kind !== RAM_AREA) return [];
    const found: { start: number; end: number }[] = [];
    const first = vmm.map.start(area);
    const pages = vmm.map.end(area) - first;
    const { isPrivate } = vmm.pieceOf(area);
    for (let page = isPrivate.nextMissing(0, pages); page < pages; ) {
      const end = isPrivate.next(page, pages);
      found.push({ start: (first + page) * PAGE, end: (first + end) * PAGE });
      page = isPrivate.nextMissing(end, pages);
    }
    return found;
  });

/** Why a unit's bits do not tell hardware's truth to whoever reads them next; undefined if they do. */
export const lieOfBits = ({ platform, kernel, vmm }: Machine, unit: number): string | undefined => {
  const bit = unacceptedBit(kernel, unit);
  if (bit < 0) return undefined;
  const accepted = acceptedOf(platform.pages, unit);
  if (bit === 1 && accepted === ACCEPTED.ALL)
    return "its bit says unaccepted, and hardware has it accepted: the next kernel will accept it again";
  if (bit === 0 && pluggedBit(kernel, unit) !== 0 && accepted !== ACCEPTED.ALL && vmm.pluggedAt(unit))
    return "its bit says accepted, and hardware does not have it accepted: the next kernel will use it";
  return undefined;
};

/** I40: no shared page is left, or the log says so; both bitmaps tell hardware's truth. */
const judgeTruth = (machine: Machine): void => {
  const watch = machine.watch!;
  const said = machine.log.slice(machine.logStart).some(({ text }) => SAID.test(text));
  if (!said)
    for (const { start, end } of sharedBootMemory(machine.vmm))
      watch.report("I40", start, end, "still shared with the host when another kernel is started");
  for (const { start, end } of memoryOf(machine.vmm))
    for (let unit = start; unit < end; unit++) {
      const why = lieOfBits(machine, unit);
      if (why !== undefined) watch.report("I40", unit * UNIT, (unit + 1) * UNIT, why);
    }
};

const isWaiting = (k: Kernel, unit: number): boolean =>
  unacceptedBit(k, unit) === 1 && pluggedBit(k, unit) !== 0;

/** I41: a destination page is accepted before the copy, by hardware and by the table. */
const judgeDestination = (machine: Machine, what: string, from: number, to: number): void => {
  const { platform, kernel, watch } = machine;
  const td = platform.pages;
  for (let at = from; at < to; ) {
    const end = Math.min(to, at - (at % UNIT) + UNIT);
    const byTable = isWaiting(kernel, Math.floor(at / UNIT));
    const waits = byTable || !isAcceptedPage(td, at) || !isAcceptedPage(td, end - PAGE);
    if (waits)
      watch!.report("I41", at, end, `a segment of kexec (${what}) goes to memory that is not accepted`);
    at = end;
  }
};

/** I42: driver-managed memory is no destination. */
const judgePlace = ({ vmm, watch }: Machine, what: string, from: number, to: number): void => {
  for (let at = from; at < to; at += UNIT) {
    const area = vmm.map.find(at / PAGE);
    if (area >= 0 && vmm.map.kinds[area] === VIRTIO_MEM_AREA)
      watch!.report(
        "I42",
        at,
        Math.min(to, at + UNIT),
        `a segment of kexec (${what}) goes to memory of a driver`,
      );
  }
};

/** I42: driver-managed memory is no RAM of the next kernel. */
export const judgeMemoryMap = ({ vmm, watch }: Machine, e820: readonly E820Entry[]): void => {
  for (const { addr, size, type } of e820) {
    if (type !== E820_TYPE.RAM) continue;
    for (let at = Number(addr); at < Number(addr + size); at += UNIT) {
      const area = vmm.map.find(Math.floor(at / PAGE));
      if (area >= 0 && vmm.map.kinds[area] === VIRTIO_MEM_AREA)
        watch!.report("I42", at, at + UNIT, "memory of a driver is RAM to the next kernel");
    }
  }
};

/** Holds a jump into another kernel against the invariants that speak of it, before anything is copied. */
export const judgeJump = (machine: Machine): void => {
  const { kexec, variant } = machine.kernel;
  const onCrash = kexec.has(KEXEC.ON_CRASH);
  judgeTruth(machine);
  for (const [row, { what }] of segmentsOf(variant, onCrash).entries()) {
    judgeDestination(machine, what, kexec.starts[row]!, kexec.ends[row]!);
    judgePlace(machine, what, kexec.starts[row]!, kexec.ends[row]!);
  }
};
