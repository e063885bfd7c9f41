import { AGAIN, type Frame } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { rangeContainsUnacceptedMemory } from "../unaccepted-memory.ts";
import { pfnIsRam } from "../virtio-mem/kdump.ts";
import { KEXEC } from "./kexec.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("read_vmcore", {
  args: [],
  locals: ["range", "at", "end", "stop", "device"],
  steps: ["range", "run", "asked", "read"],
});

/** Device whose region holds an address, or -1. */
const deviceAt = (k: Kernel, address: number): number =>
  k.virtioMem.findIndex((vm) => vm.overlaps(address, 1));

/**
 * End of the run of pages from `start` on about which every callback says the same: up to the last page of a unit, which
 * has the next unit for a guard, and within one block of a device.
 */
const endOfRun = (k: Kernel, start: number, end: number): number => {
  const { unitSize, pageSize } = k.geometry;
  const lastPage = start - (start % unitSize) + unitSize - pageSize;
  let stop = start < lastPage ? lastPage : lastPage + pageSize;
  const device = deviceAt(k, start);
  if (device >= 0) {
    const { addr, blockSize } = k.virtioMem[device]!.port;
    stop = Math.min(stop, start - ((start - addr) % blockSize) + blockSize);
  }
  return Math.min(stop, end);
};

/** Pages that are not RAM to some callback come back as zeroes. */
const zeroes = (k: Kernel, f: Frame<Kernel>): number => {
  k.kexec.words[KEXEC.DUMP_ZEROES]! += f.get(v.stop) - f.get(v.at);
  f.set(v.at, f.get(v.stop));
  return at.run;
};

/**
 * Reads all of /proc/vmcore: the memory of the kernel that crashed, as the ELF headers list it. Each page is read only if
 * every callback calls it RAM: it is not unaccepted, nor is the unit behind it where the page is the last of its own; and a
 * virtio-mem device says that its block is plugged. Others come back as zeroes. Returns 0.
 *
 * @source Linux fs/proc/vmcore.c, drivers/firmware/efi/unaccepted_memory.c, drivers/virtio/virtio_mem.c
 * @missing mmap of /proc/vmcore, which asks the same callbacks
 */
export const readVmcore = define({
  range: (k, f) => {
    const range = k.boot.oldMemory[f.get(v.range)];
    if (range === undefined) return f.returns(0);
    f.set(v.range, f.get(v.range) + 1);
    f.set(v.at, range.start);
    f.set(v.end, range.end);
    return at.run;
  },
  run: (k, f) => {
    const from = f.get(v.at);
    if (from >= f.get(v.end)) return at.range;
    f.set(v.stop, endOfRun(k, from, f.get(v.end)));
    const asks = k.variant.readersAskForUnaccepted;
    if (asks && rangeContainsUnacceptedMemory(k, from, k.geometry.pageSize)) return zeroes(k, f);
    const device = deviceAt(k, from);
    return device < 0 ? at.read : f.call(pfnIsRam, at.asked, device, from);
  },
  asked: (k, f) => (f.result === 0 ? zeroes(k, f) : at.read),
  read: (k, f) => {
    const from = f.get(v.at);
    const done = k.hw.access(f.vcpu, from, f.get(v.stop) - from, false, false);
    if (done < 0) return AGAIN;
    k.kexec.words[KEXEC.DUMP_READ]! += done;
    f.set(v.at, from + done);
    return from + done < f.get(v.stop) ? at.read : at.run;
  },
});
