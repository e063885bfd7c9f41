import { SEPT_FREE, SEPT_MAPPED } from "../abi/tdx/sept-entry.ts";
import { PAGE_TYPE } from "../abi/tdx/td-state.ts";
import { SIZE_2M, SIZE_4K } from "../tdx-module/pamt.ts";
import { TD_WORD, VCPU_WORD } from "../tdx-module/td.ts";
import { COVERED } from "../tdx-module/tdmr.ts";
import type { GuestMemfd } from "../vmm/guest-memfd.ts";
import { NO_BLOCK } from "../vmm/host-memory.ts";
import { NO_AREA, RAM_AREA } from "../vmm/memory-map.ts";
import { UNIT_PAGES } from "../vmm/page-set.ts";
import type { Machine } from "./machine.ts";

const PAGE = 4096;
const UNIT = UNIT_PAGES * PAGE;
/** Steps of one page, small or large: the accept that leaves the guest, the VMM's mapping, the accept that succeeds. */
const STEPS = 3;

/** Nobody holds a lock, waits to interrupt, or was told to answer other than the module does. */
const isQuiet = ({ injector, module, td, vmm }: Machine, vcpu: number): boolean =>
  injector === undefined &&
  !module.faults.any &&
  !module.frameLocks.any &&
  !td.locks.any &&
  td.vcpu(vcpu, VCPU_WORD.INTERRUPT_IN) === 0 &&
  vmm.life.ended === 0;

/** Whether a unit of a piece was never touched and can be mapped by one leaf. */
const isFresh = (piece: GuestMemfd, unit: number): boolean =>
  piece.mayMapHuge(unit, 0) && piece.mapped.lacksUnit(unit) && piece.backed.lacksUnit(unit);

/** Backs, maps and accepts one unit if its table is there and all else is fresh. @returns false: no more than host memory was taken, as by an exit */
const acceptUnit = ({ vmm, td, module }: Machine, piece: GuestMemfd, unit: number, gpa: number): boolean => {
  const { sept } = td;
  sept.walk(gpa >>> 0, Math.floor(gpa / 2 ** 32), 1);
  if (sept.level !== 1 || sept.stateHere !== SEPT_FREE) return false;
  if (!isFresh(piece, unit) || !vmm.use.hasRoom(UNIT_PAGES)) return false;
  const host = piece.allocateUnit(unit);
  if (host === NO_BLOCK) return false;
  vmm.use.account(UNIT_PAGES, 0);
  if (!module.pamt.isBlockFree(host)) return false;
  sept.setLeaf(SEPT_MAPPED, host);
  module.pamt.take(host, SIZE_2M, PAGE_TYPE.REG, td.number + 1);
  td.words[TD_WORD.CHILD_COUNT]! += UNIT_PAGES;
  module.pages.zero(host, UNIT_PAGES);
  piece.setMappedHuge(unit);
  return true;
};

/** The same for one page of 4 KiB, where its metadata needs no pages of its own. */
const acceptPage = ({ vmm, td, module }: Machine, piece: GuestMemfd, page: number, gpa: number): boolean => {
  const { sept } = td;
  if (vmm.pairs !== undefined || module.pairs !== undefined) return false;
  sept.walk(gpa >>> 0, Math.floor(gpa / 2 ** 32), 0);
  if (sept.level !== 0 || sept.stateHere !== SEPT_FREE) return false;
  if (!piece.isPrivate.has(page) || piece.mapped.has(page) || piece.backed.has(page)) return false;
  const host = vmm.use.hasRoom(1) ? piece.allocate(page) : NO_BLOCK;
  if (host === NO_BLOCK) return false;
  vmm.use.account(1, 0);
  if (module.pamt.kindOf(host) !== COVERED || module.pamt.type4K(host) !== PAGE_TYPE.NDA) return false;
  sept.setLeaf(SEPT_MAPPED, host);
  module.pamt.take(host, SIZE_4K, PAGE_TYPE.REG, td.number + 1);
  td.words[TD_WORD.CHILD_COUNT]! += 1;
  module.pages.zero(host, 1);
  piece.setMapped(page);
  return true;
};

/**
 * Accepts boot memory from `start` on in one step, where nothing can refuse and nobody watches: what firmware accepts
 * before the EFI stub runs. These are whole units from the start of one on, pages of 4 KiB up to the next start of one.
 * It leaves behind what the accept loop and the exits that it takes leave, one by one, steps included. The last unit or
 * page before `end` is left to them, and with it what registers hold then; so is what lacks a table.
 *
 * @returns where it ended; `start` if it did nothing
 */
export const acceptAtOnce = (machine: Machine, vcpu: number, start: number, end: number): number => {
  const { map, policy } = machine.vmm;
  const area = map.find(start / PAGE);
  if (area === NO_AREA || map.kinds[area] !== RAM_AREA || !isQuiet(machine, vcpu)) return start;
  const base = map.start(area) * PAGE;
  const piece = machine.vmm.pieceOf(area);
  const isUnit = start % UNIT === 0;
  if (isUnit && (base % UNIT !== 0 || policy.augSize !== "2M")) return start;
  const size = isUnit ? UNIT : PAGE;
  const accept = isUnit ? acceptUnit : acceptPage;
  const bound = isUnit ? end : Math.ceil(start / UNIT) * UNIT;
  const stop = Math.min(end - size, bound, map.end(area) * PAGE);
  let at = start;
  while (at + size <= stop && accept(machine, piece, (at - base) / size, at)) at += size;
  if (at > start) machine.scheduler.tookSteps((STEPS * (at - start)) / size - 1);
  return at;
};
