import { AGAIN } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { allocPages } from "../page-allocator/alloc.ts";
import { acceptMemory } from "../unaccepted-memory.ts";
import { KEXEC } from "./kexec.ts";
import { placeSegments, segmentsOf } from "./segments.ts";

/** Owner of the pages that hold the next kernel until the jump. */
export const KEXEC_OWNER = 0xfffb;

const { v, at, define } = KERNEL_PROCEDURES.declare("kexec_file_load", {
  args: ["onCrash"],
  locals: ["row", "pages", "at"],
  steps: ["enter", "accept", "segment", "page", "clear", "write"],
});

/** A segment, and all of them together, may be half of memory. @source kernel/kexec_core.c, sanity_check_segment_list */
const tooLarge = (k: Kernel): boolean => {
  const { kexec, zones, geometry } = k;
  let bytes = 0;
  for (let row = 0; row < kexec.count; row++) bytes += kexec.ends[row]! - kexec.starts[row]!;
  const managed = zones.managed.reduce((sum, pages) => sum + pages, 0);
  return bytes / geometry.pageSize > managed / 2;
};

/**
 * kexec_file_load(): (1 for a kernel that runs after a crash) loads the running kernel again. Segments get their places; a
 * kernel that does so accepts them; a page is allocated and cleared for each page of a segment, or, for a crash kernel, the
 * segments are written where they will run.
 *
 * Returns 0; -EADDRNOTAVAIL if a segment finds no place, -EINVAL if the image is more than half of memory, -ENOMEM. After
 * an error nothing is loaded, and pages that were allocated are lost.
 *
 * @source Linux kernel/kexec_file.c, kernel/kexec_core.c (kimage_load_segment)
 * @missing a page that happens to lie at its own destination is not taken twice; the pages of an image that is replaced
 */
export const kexecFileLoad = define({
  enter: (k, f) => {
    const onCrash = f.get(v.onCrash) !== 0;
    if (!placeSegments(k, segmentsOf(k.variant, onCrash), onCrash)) return f.returns(ERRNO.EADDRNOTAVAIL);
    if (tooLarge(k)) {
      k.kexec.clear();
      return f.returns(ERRNO.EINVAL);
    }
    k.kexec.words[KEXEC.ON_CRASH] = f.get(v.onCrash);
    return k.variant.kexecAcceptsSegments ? at.accept : at.segment;
  },
  accept: (k, f) => {
    const row = f.get(v.row);
    const { starts, ends, count } = k.kexec;
    if (row < count) {
      f.set(v.row, row + 1);
      return f.call(acceptMemory, at.accept, starts[row]!, ends[row]! - starts[row]!);
    }
    f.set(v.row, 0);
    return at.segment;
  },
  segment: (k, f) => {
    const row = f.get(v.row);
    const { starts, ends, count } = k.kexec;
    if (row >= count) return f.returns(0);
    f.set(v.row, row + 1);
    f.set(v.at, starts[row]!);
    f.set(v.pages, (ends[row]! - starts[row]!) / k.geometry.pageSize);
    return f.get(v.onCrash) === 0 ? at.page : at.write;
  },
  page: (_k, f) => {
    if (f.get(v.pages) === 0) return at.segment;
    f.set(v.pages, f.get(v.pages) - 1);
    return f.call(allocPages, at.clear, 0, 0, 0, KEXEC_OWNER);
  },
  clear: (k, f) => {
    if (f.result < 0) {
      k.kexec.clear();
      return f.returns(ERRNO.ENOMEM);
    }
    f.set(v.at, f.result * k.geometry.pageSize);
    return at.write;
  },
  write: (k, f) => {
    const { pageSize } = k.geometry;
    const from = f.get(v.at);
    const bytes = f.get(v.onCrash) === 0 ? pageSize : f.get(v.pages) * pageSize;
    const done = k.hw.access(f.vcpu, from, bytes, true, false);
    if (done < 0) return AGAIN;
    if (f.get(v.onCrash) === 0) return at.page;
    f.set(v.at, from + done);
    f.set(v.pages, f.get(v.pages) - done / pageSize);
    return f.get(v.pages) > 0 ? at.write : at.segment;
  },
});
