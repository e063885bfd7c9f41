import { AGAIN } from "../../flat/procedure.ts";
import { isDone } from "../coco/platform.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { KEXEC } from "./kexec.ts";

const TO_PRIVATE = 1;

const unshare = KERNEL_PROCEDURES.declare("tdx_kexec_finish", {
  args: [],
  locals: ["start", "end"],
  steps: ["enter", "range", "converted", "accepted"],
});

const hex = (address: number): string => `0x${address.toString(16)}`;

/**
 * tdx_kexec_begin() and tdx_kexec_finish(): nobody converts any more, and whatever the direct map still maps shared is
 * made private and accepted. What cannot be is told of in the log and stays shared. Returns 0.
 *
 * @source Linux arch/x86/coco/tdx/tdx.c
 */
const unshareAll = unshare.define({
  enter: (k) => {
    k.kexec.words[KEXEC.CONVERSIONS_STOPPED] = 1;
    return unshare.at.range;
  },
  range: (k, f) => {
    const { v, at } = unshare;
    const { shared } = k;
    if (shared.count === 0) return f.returns(0);
    const [start, end] = [shared.starts[0]!, shared.ends[0]!];
    shared.remove(start, end);
    f.set(v.start, start);
    f.set(v.end, end);
    return f.call(k.platform.convert, at.converted, start, end, TO_PRIVATE);
  },
  converted: (k, f) => {
    const { v, at } = unshare;
    if (f.result !== f.get(v.end)) return failed(k, f.get(v.start), f.get(v.end));
    return f.call(k.platform.accept, at.accepted, f.get(v.start), f.get(v.end));
  },
  accepted: (k, f) => {
    const { v, at } = unshare;
    return isDone(f.result) ? at.range : failed(k, f.get(v.start), f.get(v.end));
  },
});

const failed = (k: Kernel, start: number, end: number): number => {
  k.printk(`tdx: Failed to unshare range ${hex(start)}-${hex(end)}`);
  return unshare.at.range;
};

const down = KERNEL_PROCEDURES.declare("machine_shutdown", {
  args: [],
  locals: [],
  steps: ["enter", "done"],
});

/** What is left to do before the jump once only this CPU runs: shared memory is taken back. Returns 0. */
export const kexecShutdown = down.define({
  enter: (k, f) => f.callIf(k.variant.unsharesAtKexec ? unshareAll : undefined, down.at.done),
  done: (_k, f) => f.returns(0),
});

const { v, at, define } = KERNEL_PROCEDURES.declare("relocate_kernel", {
  args: [],
  locals: ["row", "at"],
  steps: ["segment", "copy"],
});

/**
 * Copies the segments to their destinations, unless the image is a crash kernel's, which lies there already. Returns 0.
 *
 * @source Linux arch/x86/kernel/relocate_kernel_64.S, machine_kexec_64.c
 */
export const copySegments = define({
  segment: (k, f) => {
    const { count, starts } = k.kexec;
    if (k.kexec.has(KEXEC.ON_CRASH) || f.get(v.row) >= count) return f.returns(0);
    f.set(v.at, starts[f.get(v.row)]!);
    return at.copy;
  },
  copy: (k, f) => {
    const row = f.get(v.row);
    const from = f.get(v.at);
    const end = k.kexec.ends[row]!;
    const done = k.hw.access(f.vcpu, from, end - from, true, false);
    if (done < 0) return AGAIN;
    f.set(v.at, from + done);
    if (from + done < end) return at.copy;
    f.set(v.row, row + 1);
    return at.segment;
  },
});
