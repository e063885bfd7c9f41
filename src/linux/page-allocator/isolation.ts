import type { Frame, Next } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { NIL, orderOf, USE, useOf } from "../mem-map.ts";
import {
  freeBlock,
  headOf,
  isFree,
  isIsolated,
  pushBlock,
  removeFreeBlock,
  unlinkBlock,
} from "./free-lists.ts";
import { countAtOnce } from "./unaccepted-key.ts";
import { acceptPage, headsUnaccepted, listUnaccepted, takeUnaccepted } from "./unaccepted-list.ts";
import { pageblockAt, pageblockStart } from "./zone-span.ts";
import { ZONE, zoneOfIndex, zoneType } from "./zones.ts";

/** What a range is isolated for: to be offlined, or to be allocated as one piece. */
export const ISOLATE = { OFFLINE: 0, CONTIG: 1 } as const;

/** Changes the migrate type of a pageblock. */
const mark = (k: Kernel, index: number, isolated: boolean): void => {
  k.mm.isolated[index >> k.geometry.pageblockOrder] = isolated ? 1 : 0;
  k.zones.isolatedPageblocks[zoneOfIndex(k, index)]! += isolated ? 1 : -1;
  if (isolated) k.zones.observer?.shrinks(zoneOfIndex(k, index));
};

/** Moves the free blocks of a pageblock to the tails of its new type's lists. None is wider than it. */
const moveFreeBlocks = (k: Kernel, index: number, isolated: boolean): void => {
  const { zones, mm, geometry } = k;
  const zone = zoneOfIndex(k, index);
  const end = index + geometry.pagesPerBlock;
  for (let at = index; at < end; ) {
    if (!isFree(k, at)) {
      at = mm.endOfUse(at, end);
      continue;
    }
    const order = orderOf(mm.use[at]!);
    unlinkBlock(k, zones.freeList(zone, order, !isolated), at, order);
    pushBlock(k, zones.freeList(zone, order, isolated), at, order, true);
    zones.free[zone]! += isolated ? -(1 << order) : 1 << order;
    at += 1 << order;
  }
};

/**
 * Gives a pageblock the type ISOLATE or MOVABLE and moves its free pages along. A free block wider than the
 * pageblock is cut, so that each part is listed under its own type.
 *
 * @source Linux mm/page_alloc.c, move_freepages_block_isolate
 */
const setIsolated = (k: Kernel, index: number, isolated: boolean): void => {
  const { pageblockOrder } = k.geometry;
  const head = headOf(k, index);
  const order = orderOf(k.mm.use[head]!);
  if (isFree(k, head) && order > pageblockOrder) {
    removeFreeBlock(k, head, order, USE.IN_TRANSIT);
    mark(k, index, isolated);
    freeBlock(k, head, order, false);
    return;
  }
  moveFreeBlocks(k, index, isolated);
  mark(k, index, isolated);
};

/**
 * unset_migratetype_isolate. A free pageblock whose buddy is free and not isolated merges with it now.
 *
 * @source Linux mm/page_isolation.c
 */
const unsetIsolated = (k: Kernel, index: number): void => {
  const { pageblockOrder, maxOrder } = k.geometry;
  const buddy = index ^ (1 << pageblockOrder);
  const whole = USE.FREE | pageblockOrder;
  const merges =
    pageblockOrder < maxOrder &&
    k.mm.use[index] === whole &&
    k.mm.use[buddy] === whole &&
    !isIsolated(k, buddy);
  if (!merges) {
    setIsolated(k, index, false);
    return;
  }
  removeFreeBlock(k, index, pageblockOrder, USE.IN_TRANSIT);
  mark(k, index, false);
  freeBlock(k, index, pageblockOrder, true);
};

/**
 * Whether some page of [index, end) can neither be free nor be moved. Pages of ZONE_MOVABLE always can,
 * except reserved ones. A page without references (free, listed as unaccepted, under way) is no obstacle here:
 * the final test finds it.
 *
 * @source Linux mm/page_isolation.c, has_unmovable_pages
 */
const hasUnmovable = (k: Kernel, index: number, end: number, mode: number): boolean => {
  const movableZone = zoneType(zoneOfIndex(k, index)) === ZONE.MOVABLE;
  const { mm } = k;
  for (let at = index; at < end; at = mm.endOfUse(at, end)) {
    const use = useOf(mm.use[at]!);
    if (use === USE.HOLE || use === USE.RESERVED || use === USE.MEMMAP) return true;
    if (movableZone) continue;
    if (use === USE.ALLOCATED) return true;
    if (mode !== ISOLATE.OFFLINE && (use === USE.OFFLINE || use === USE.FAKE_OFFLINE)) return true;
  }
  return false;
};

/** set_migratetype_isolate without the accepting. @returns 0 or -EBUSY with nothing changed */
const isolateBlock = (k: Kernel, pfn: number, from: number, to: number, mode: number): number => {
  const index = k.mm.indexOf(pfn);
  if (isIsolated(k, index)) return ERRNO.EBUSY;
  const start = index + Math.max(0, from - pfn);
  const end = index + Math.min(k.geometry.pagesPerBlock, to - pfn);
  if (hasUnmovable(k, start, end, mode)) return ERRNO.EBUSY;
  setIsolated(k, index, true);
  return 0;
};

const { v, at, define } = KERNEL_PROCEDURES.declare("start_isolate_page_range", {
  args: ["startPfn", "n", "mode"],
  locals: ["turn"],
  steps: ["accept", "isolate"],
});

const blocksOf = (k: Kernel, f: Frame<Kernel>): readonly [first: number, blocks: number] => {
  const { pagesPerBlock } = k.geometry;
  const first = Math.floor(f.get(v.startPfn) / pagesPerBlock);
  return [first, Math.ceil((f.get(v.startPfn) + f.get(v.n)) / pagesPerBlock) - first];
};

/** Frame of the pageblock whose turn it is: the first of the range, then the last, then those between. */
const blockAt = (k: Kernel, first: number, blocks: number, turn: number): number => {
  const block = turn === 0 ? 0 : turn === 1 ? blocks - 1 : turn - 1;
  return (first + block) * k.geometry.pagesPerBlock;
};

/** The first and the last pageblock are judged as a whole, those between by what of the range is in them. */
const isolateTurn = (k: Kernel, f: Frame<Kernel>): Next => {
  const [first, blocks] = blocksOf(k, f);
  const { pagesPerBlock } = k.geometry;
  const turn = f.get(v.turn);
  const pfn = blockAt(k, first, blocks, turn);
  const error = isolateBlock(k, pfn, pfn, pfn + pagesPerBlock, f.get(v.mode));
  if (error !== 0) {
    for (let done = 0; done < turn; done++) {
      unsetIsolated(k, k.mm.indexOf(blockAt(k, first, blocks, done)));
    }
    relist(k, f.get(v.startPfn), f.get(v.n));
    return f.returns(error);
  }
  f.set(v.turn, turn + 1);
  return turn + 1 === blocks ? f.returns(0) : at.accept;
};

/** First page of the chunk that a page lies in; its index is aligned as its frame is. */
const chunkOf = (k: Kernel, index: number): number => index - (index % k.geometry.pagesPerChunk);

/** The turn of a pageblock under a design that takes listed chunks as they are. */
const isolateUnaccepted = (k: Kernel, f: Frame<Kernel>, index: number): Next => {
  const head = chunkOf(k, index);
  if (!headsUnaccepted(k, head)) return isolateTurn(k, f);
  const pfn = k.mm.pfnOf(head);
  const end = f.get(v.startPfn) + f.get(v.n);
  if (pfn < f.get(v.startPfn) || pfn + k.geometry.pagesPerChunk > end)
    return f.call(acceptPage, at.isolate, head);
  if (takeUnaccepted(k, head)) countAtOnce(k, -1);
  return isolateTurn(k, f);
};

/** Chunks of the range that isolation took off the list go back to it. */
const relist = (k: Kernel, startPfn: number, n: number): void => {
  const { pagesPerChunk } = k.geometry;
  const first = Math.ceil(startPfn / pagesPerChunk) * pagesPerChunk;
  for (let pfn = first; pfn + pagesPerChunk <= startPfn + n; pfn += pagesPerChunk) {
    const index = k.mm.indexOf(pfn);
    if (index !== NIL && useOf(k.mm.use[index]!) === USE.UNLISTED && listUnaccepted(k, index))
      countAtOnce(k, 1);
  }
};

/**
 * Isolates every pageblock that the range touches: (startPfn, n, mode of ISOLATE). Free pages in them are
 * not allocated any more. Returns 0, or -EBUSY with the types as before.
 *
 * A pageblock whose first page heads an unaccepted chunk is accepted first. The other pageblocks of a chunk
 * carry no mark, so they are isolated with their pages still unaccepted, and the final test will fail. A design may
 * want it otherwise (`isolatesUnaccepted`): a chunk inside the range leaves its list as it is, and one that sticks out
 * is accepted wherever in it the pageblock lies.
 *
 * @source Linux mm/page_isolation.c, start_isolate_page_range, set_migratetype_isolate
 */
export const startIsolatePageRange = define({
  accept: (k, f) => {
    const [first, blocks] = blocksOf(k, f);
    const index = k.mm.indexOf(blockAt(k, first, blocks, f.get(v.turn)));
    if (index === NIL) return f.returns(ERRNO.EBUSY);
    if (k.design.isolatesUnaccepted === true) return isolateUnaccepted(k, f, index);
    const accepts = k.variant.isolationAccepts && headsUnaccepted(k, index);
    return accepts ? f.call(acceptPage, at.isolate, index) : isolateTurn(k, f);
  },
  isolate: isolateTurn,
});

/** Makes every isolated pageblock of the range MOVABLE again; its free pages become allocatable. */
export const undoIsolatePageRange = (k: Kernel, startPfn: number, n: number): void => {
  const { pagesPerBlock } = k.geometry;
  for (let pfn = pageblockStart(k, startPfn); pfn < startPfn + n; pfn += pagesPerBlock) {
    const block = pageblockAt(k, pfn);
    if (k.mm.isolated[block] !== 0) unsetIsolated(k, block * pagesPerBlock);
  }
  relist(k, startPfn, n);
};

/** Gives the pageblocks of memory about to be onlined, which holds no free page, the type ISOLATE. */
export const isolatePageblocks = (k: Kernel, startPfn: number, n: number): void => {
  const { pagesPerBlock } = k.geometry;
  for (let pfn = pageblockStart(k, startPfn); pfn < startPfn + n; pfn += pagesPerBlock) {
    const block = pageblockAt(k, pfn);
    if (k.mm.isolated[block] === 0) mark(k, block * pagesPerBlock, true);
  }
};

/**
 * Whether the range is isolated and every page of it free. Pages of type "offline" count as free when the
 * range is to be offlined (their driver agreed in MEM_GOING_OFFLINE).
 *
 * @source Linux mm/page_isolation.c, test_pages_isolated
 */
export const testPagesIsolated = (
  k: Kernel,
  startPfn: number,
  n: number,
  mode: number = ISOLATE.OFFLINE,
): boolean => {
  const { pagesPerBlock } = k.geometry;
  for (let pfn = pageblockStart(k, startPfn); pfn < startPfn + n; pfn += pagesPerBlock)
    if (k.mm.isolated[pageblockAt(k, pfn)] === 0) return false;
  for (let pfn = startPfn; pfn < startPfn + n; pfn = k.mm.endOfUseAt(pfn, startPfn + n)) {
    const use = k.mm.useAt(pfn);
    const offline = use === USE.OFFLINE || use === USE.FAKE_OFFLINE;
    if (use !== USE.FREE && use !== USE.UNLISTED && !(offline && mode === ISOLATE.OFFLINE)) return false;
  }
  return true;
};

/**
 * Takes the isolated free pages of the range off the lists for good and makes all its pages OFFLINE. They
 * stop being managed; the pageblocks lose their type.
 *
 * @returns pages that were managed until now: those not offline already
 * @source Linux mm/page_alloc.c, __offline_isolated_pages
 */
export const offlineIsolatedPages = (k: Kernel, startPfn: number, n: number): number => {
  const zone = zoneOfIndex(k, k.mm.indexOf(startPfn));
  let taken = 0;
  for (let pfn = startPfn, next = pfn; pfn < startPfn + n; pfn = next) {
    const index = k.mm.indexOf(pfn);
    if (isFree(k, index)) {
      const order = orderOf(k.mm.use[index]!);
      next = pfn + (1 << order);
      removeFreeBlock(k, index, order, USE.OFFLINE);
      taken += 1 << order;
    } else {
      next = k.mm.endOfUseAt(pfn, startPfn + n);
      if (useOf(k.mm.use[index]!) === USE.UNLISTED) taken += next - pfn;
    }
  }
  k.mm.setPages(startPfn, n, USE.OFFLINE);
  k.zones.managed[zone]! -= taken;
  const { pagesPerBlock } = k.geometry;
  for (let at = pageblockStart(k, startPfn); at < startPfn + n; at += pagesPerBlock) {
    const block = pageblockAt(k, at);
    if (k.mm.isolated[block] !== 0) mark(k, block * pagesPerBlock, false);
  }
  return taken;
};
