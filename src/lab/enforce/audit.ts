import { PAGE_SIZE } from "../../units.ts";
import type { GuestRam } from "../guest-ram/guest-ram.ts";
import { extentsOf } from "../guest-ram/holes.ts";
import type { Span } from "../span.ts";

/** Where the guest's memory has pages: each was written, or read through a mapping, by somebody. Ascending. */
export const populated = async (ram: GuestRam): Promise<Span[]> => {
  const files = new Map(ram.pieces.map(({ file }) => [file.path, extentsOf(file.path)]));
  const spans: Span[] = [];
  for (const { start, size, file, offset } of ram.pieces) {
    for (const extent of await files.get(file.path)!) {
      const from = Math.max(extent.start, offset);
      const to = Math.min(extent.end, offset + size);
      if (from < to) spans.push({ start: start + from - offset, end: start + to - offset });
    }
  }
  return spans;
};

/**
 * The pages that exist although the guest may not touch them.
 *
 * It sees every way to memory: device DMA, user mappings, the identity map of a kexec, page walks. It does not see who.
 *
 * @param mayTouch whether the guest may use a page, by its guest-physical address
 */
export const auditPages = (pages: readonly Span[], mayTouch: (gpa: number) => boolean): Span[] => {
  const found: Span[] = [];
  for (const { start, end } of pages) {
    for (let at = start; at < end; at += PAGE_SIZE) {
      if (mayTouch(at)) continue;
      const last = found.at(-1);
      if (last?.end === at) found[found.length - 1] = { start: last.start, end: at + PAGE_SIZE };
      else found.push({ start: at, end: at + PAGE_SIZE });
    }
  }
  return found;
};
