import { type Status, status, withoutDetails } from "../abi/tdx/status.ts";
import { AGAIN, BLOCKED, type Frame, type Next } from "../flat/procedure.ts";
import { VM_END } from "./events.ts";
import type { GuestMemfd } from "./guest-memfd.ts";
import { NO_BLOCK } from "./host-memory.ts";
import { NO_AREA } from "./memory-map.ts";
import { UNIT_PAGES } from "./page-set.ts";
import type { PamtPairs } from "./pamt-pairs.ts";
import { DEAD, DONE, REFUSED, VMM_PROCEDURES } from "./procedures.ts";
import { retire } from "./retire.ts";
import { isBusy } from "./seam.ts";
import type { SnpHost } from "./snp/snp-host.ts";
import type { Vmm } from "./vmm.ts";

const ALREADY_BLOCKED = status("GPA_RANGE_ALREADY_BLOCKED");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT");
const NOT_TRACKED = status("TLB_TRACKING_NOT_DONE");
const RESTARTABLE = status("INTERRUPTED_RESTARTABLE");

const s = VMM_PROCEDURES.declare("split a large mapping", {
  args: ["frame"],
  locals: ["area", "table", "isPaired", "outcome"],
  steps: ["lock", "block", "blocked", "takeTable", "demote", "unpair"],
});

const unitOf = (k: Vmm, f: Frame<Vmm>): number => (f.get(s.v.frame) - k.map.start(f.get(s.v.area))) >>> 9;
const pieceOf = (k: Vmm, f: Frame<Vmm>): GuestMemfd => k.pieceOf(f.get(s.v.area));

/**
 * TDH.MEM.PAGE.DEMOTE of the 2 MiB mapping that starts at a guest frame: BLOCK, TRACK, kick, DEMOTE. PSMASH on SEV-SNP.
 *
 * Returns DONE, also when there is no large mapping any more; REFUSED if the guest holds the page; DEAD.
 *
 * @source KVM, TDX huge pages
 */
export const split = s.define({
  lock: (k, f) => {
    const frame = f.get(s.v.frame);
    const area = k.map.find(frame);
    if (area === NO_AREA) return f.returns(DONE);
    if (!k.zaps.take(f.task, frame, frame + UNIT_PAGES)) return BLOCKED;
    f.set(s.v.area, area);
    return s.at.block;
  },
  block: (k, f) => {
    if (!pieceOf(k, f).isHuge(unitOf(k, f))) return unlocked(k, f, DONE);
    if (k.snp !== undefined) return smash(k, f, k.snp);
    const result = k.seam.block(f.get(s.v.frame), 1);
    if (isBusy(result)) return AGAIN;
    const kind = withoutDetails(result);
    if (result === 0 || kind === ALREADY_BLOCKED) return f.call(retire, s.at.blocked);
    return kind === WRONG_STATE ? unlocked(k, f, REFUSED) : fails(k, f, VM_END.MODULE_REFUSED, result);
  },
  blocked: (k, f) => (f.result === DONE ? s.at.takeTable : unlocked(k, f, f.result)),
  takeTable: (k, f) => {
    const table = k.use.hasTableRoom ? k.host.takeTableFrame() : NO_BLOCK;
    if (table === NO_BLOCK) return fails(k, f, VM_END.HOST_OUT_OF_MEMORY, 0);
    f.set(s.v.table, table);
    if (k.pairs === undefined) return demote(k, f, undefined);
    f.set(s.v.isPaired, k.pairs.get(table) ? 1 : 0);
    return s.at.demote;
  },
  demote: (k, f) => demote(k, f, f.get(s.v.isPaired) === 1 ? k.pairs : undefined),
  unpair: (k, f) => {
    k.pairs!.put(f.get(s.v.table));
    return refused(k, f);
  },
});

/**
 * TDH.MEM.PAGE.DEMOTE. With dynamic PAMT it takes a pair for the pages of the unit; where the host has none, or none for the table, the
 * module refuses.
 */
const demote = (k: Vmm, f: Frame<Vmm>, pairs: PamtPairs | undefined): Next => {
  const table = f.get(s.v.table);
  const pages = pairs?.takePages();
  const result = k.seam.demote(f.get(s.v.frame), table, pages);
  if (result === 0) {
    pairs?.noteSplit(pieceOf(k, f).frameOf(unitOf(k, f) * UNIT_PAGES));
    pieceOf(k, f).setSplit(unitOf(k, f));
    return unlocked(k, f, DONE);
  }
  for (const page of pages ?? []) pairs?.giveFrame(page);
  f.set(s.v.outcome, result);
  return pairs === undefined ? refused(k, f) : s.at.unpair;
};

const refused = (k: Vmm, f: Frame<Vmm>): Next => {
  k.host.untakeTableFrame(f.get(s.v.table));
  const result = f.get(s.v.outcome) as Status;
  for (const slot of [s.v.table, s.v.isPaired, s.v.outcome]) f.set(slot, 0);
  const kind = withoutDetails(result);
  if (isBusy(result) || kind === RESTARTABLE) return s.at.takeTable;
  if (kind === NOT_TRACKED) return f.call(retire, s.at.blocked);
  return fails(k, f, VM_END.MODULE_REFUSED, result);
};

/** SEV-SNP: the RMP entry and the mapping are split, nothing has to leave the guest. */
const smash = (k: Vmm, f: Frame<Vmm>, snp: SnpHost): Next => {
  const unit = unitOf(k, f);
  const result = snp.smash(f.get(s.v.frame), pieceOf(k, f).frameOf(unit * UNIT_PAGES));
  if (result !== 0) return fails(k, f, VM_END.RMP_REFUSED, result);
  pieceOf(k, f).setSplit(unit);
  return unlocked(k, f, DONE);
};

const fails = (k: Vmm, f: Frame<Vmm>, reason: number, result: number): Next => {
  k.life.kill(reason, f.vcpu, f.get(s.v.frame), result);
  return unlocked(k, f, DEAD);
};

const unlocked = (k: Vmm, f: Frame<Vmm>, result: number): Next => {
  k.zaps.give();
  return f.returns(result);
};
