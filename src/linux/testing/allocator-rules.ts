import { NIL, orderOf, USE, useOf } from "../mem-map.ts";
import { NO_ZONE } from "../page-allocator/zones.ts";
import type { FakeKernel } from "./fake-kernel.ts";

/** What a walk over every page finds, counted anew without looking at a list or a counter. */
interface Census {
  readonly free: number[];
  readonly isolated: number[];
  readonly listed: number[];
  readonly movable: number[];
  /** Blocks by "zone order isolated". */
  readonly blocks: Map<string, number>;
}

const census = ({ k }: FakeKernel, broken: string[]): Census => {
  const zeros = () => new Array<number>(k.zones.count).fill(0);
  const seen: Census = {
    free: zeros(),
    isolated: zeros(),
    listed: zeros(),
    movable: zeros(),
    blocks: new Map(),
  };
  for (let index = 0; index < k.mm.use.length; ) {
    const byte = k.mm.use[index]!;
    const order = orderOf(byte);
    const block = index >> k.geometry.pageblockOrder;
    const zone = k.mm.zone[block]!;
    const isolated = k.mm.isolated[block]! !== 0;
    const use = useOf(byte);
    for (let page = index; page < index + 2 ** order; page++) {
      if (k.mm.use[page] !== byte) broken.push(`block at ${index} has one use on all its pages`);
    }
    if (index % 2 ** order !== 0) broken.push(`block at ${index} is aligned to order ${order}`);
    if (use === USE.FREE || use === USE.UNACCEPTED) {
      if (zone === NO_ZONE) broken.push(`free block at ${index} is in a zone`);
      else if (use === USE.UNACCEPTED) seen.listed[zone]! += 2 ** order;
      else {
        (isolated ? seen.isolated : seen.free)[zone]! += 2 ** order;
        const key = `${zone} ${order} ${isolated}`;
        seen.blocks.set(key, (seen.blocks.get(key) ?? 0) + 1);
      }
    }
    if (use === USE.MOVABLE && zone !== NO_ZONE) seen.movable[zone]! += 2 ** order;
    index += 2 ** order;
  }
  return seen;
};

/** Walks one list both ways. @returns its blocks' first page indices */
const walk = ({ k }: FakeKernel, list: number, order: number, broken: string[]): number[] => {
  const found: number[] = [];
  let before = NIL;
  for (let block = k.zones.head[list]!; block !== NIL; block = k.mm.links.next(order, block)) {
    if (k.mm.links.prev(order, block) !== before) broken.push(`list ${list} is linked both ways`);
    found.push(block * 2 ** order);
    before = block;
    if (found.length > k.mm.use.length) return found;
  }
  if (k.zones.tail[list] !== before) broken.push(`list ${list} ends at its tail`);
  if (k.zones.length[list] !== found.length) broken.push(`list ${list} knows its length`);
  return found;
};

const checkFreeLists = (kernel: FakeKernel, seen: Census, broken: string[]): void => {
  const { k } = kernel;
  for (let zone = 0; zone < k.zones.count; zone++) {
    for (let order = 0; order <= k.geometry.maxOrder; order++) {
      for (const isolated of [false, true]) {
        const listed = walk(kernel, k.zones.freeList(zone, order, isolated), order, broken);
        const wanted = seen.blocks.get(`${zone} ${order} ${isolated}`) ?? 0;
        if (listed.length !== wanted) broken.push(`zone ${zone} lists its free blocks of order ${order}`);
        for (const index of listed) {
          const buddy = index ^ (2 ** order);
          if (k.mm.use[index] !== (USE.FREE | order)) broken.push(`listed block ${index} is free`);
          const alike = (array: Uint8Array) =>
            array[index >> k.geometry.pageblockOrder] === array[buddy >> k.geometry.pageblockOrder];
          const mergeable = alike(k.mm.zone) && alike(k.mm.isolated) && !isolated;
          if (order < k.geometry.maxOrder && mergeable && k.mm.use[buddy] === (USE.FREE | order)) {
            broken.push(`free buddies ${index} and ${buddy} of order ${order} are merged`);
          }
        }
      }
    }
  }
};

/** I19, I25, I26: the unaccepted list. */
const checkUnaccepted = (kernel: FakeKernel, seen: Census, broken: string[]): void => {
  const { k } = kernel;
  const { maxOrder, pagesPerChunk } = k.geometry;
  for (let zone = 0; zone < k.zones.count; zone++) {
    const chunks = walk(kernel, k.zones.unacceptedList(zone), maxOrder, broken);
    if (k.zones.unaccepted[zone] !== pagesPerChunk * chunks.length) broken.push(`I19 zone ${zone}`);
    if (seen.listed[zone] !== pagesPerChunk * chunks.length) broken.push(`I19 zone ${zone}, by page`);
    if (k.options.accept === "eager" && chunks.length > 0) broken.push(`I25 zone ${zone}`);
    for (const index of chunks) {
      if (k.mm.use[index] !== (USE.UNACCEPTED | maxOrder)) broken.push(`I26 chunk ${index}`);
      if (k.mm.zone[index >> k.geometry.pageblockOrder] !== zone)
        broken.push(`I19 chunk ${index} in its zone`);
    }
  }
};

/** I21: what is free or given out is accepted by hardware. */
const checkAccepted = ({ k, hw }: FakeKernel, broken: string[]): void => {
  const { pageSize } = k.geometry;
  const inUse: number[] = [USE.FREE, USE.ALLOCATED, USE.MOVABLE, USE.MEMMAP];
  for (let index = 0; index < k.mm.use.length; index++) {
    if (!inUse.includes(useOf(k.mm.use[index]!))) continue;
    const gpa = k.mm.pfnOf(index) * pageSize;
    if (!hw.isAccepted(gpa, gpa + pageSize)) broken.push(`I21 page ${k.mm.pfnOf(index)}`);
  }
};

/**
 * Everything that holds of the allocator while nothing is under way: lists, links and counters against a
 * census of the pages, invariants I19 to I21, I25 and I26 against hardware.
 *
 * @returns the broken rules, none if all hold
 */
export const brokenAllocatorRules = (kernel: FakeKernel): string[] => {
  const { k, hw } = kernel;
  const broken: string[] = [];
  const seen = census(kernel, broken);
  checkFreeLists(kernel, seen, broken);
  checkUnaccepted(kernel, seen, broken);
  checkAccepted(kernel, broken);
  for (let zone = 0; zone < k.zones.count; zone++) {
    const free = seen.free[zone]! + seen.listed[zone]!;
    if (k.zones.free[zone] !== free) broken.push(`I20 zone ${zone}: ${k.zones.free[zone]} is ${free}`);
    if (k.zones.movable[zone] !== seen.movable[zone]) broken.push(`zone ${zone} counts its movable pages`);
    let isolated = 0;
    for (let block = 0; block < k.mm.zone.length; block++) {
      if (k.mm.zone[block] === zone && k.mm.isolated[block] !== 0) isolated++;
    }
    if (k.zones.isolatedPageblocks[zone] !== isolated) broken.push(`zone ${zone} counts isolated pageblocks`);
  }
  if (hw.doubles.length > 0) broken.push(`I3 accepted twice: ${hw.doubles.join()}`);
  return broken;
};
