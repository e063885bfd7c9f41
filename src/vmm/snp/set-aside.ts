import { UNIT_PAGES } from "../page-set.ts";
import type { Vmm } from "../vmm.ts";

/** What is kept of a unit: guest frame, host block + 1, 1 if one leaf of 2 MiB mapped it. */
const WORDS = 3;

/**
 * Host blocks that a hostile VMM took from under the guest and kept, still assigned and perhaps validated. An attacker who can make
 * the guest validate another page for the same address may then show it either.
 */
export class SetAside {
  private words = new Float64Array(16 * WORDS);
  /** [0]: units kept. */
  readonly counts = new Uint32Array(1);

  get count(): number {
    return this.counts[0]!;
  }

  /** Index of what is kept of a unit by its first guest frame, -1 for none. */
  find(frame: number): number {
    for (let at = 0; at < this.count; at++) if (this.words[at * WORDS] === frame) return at;
    return -1;
  }

  /** Host block of an entry. */
  blockOf(index: number): number {
    return this.words[index * WORDS + 1]! - 1;
  }

  isHuge(index: number): boolean {
    return this.words[index * WORDS + 2] !== 0;
  }

  put(index: number, frame: number, block: number, huge: boolean): void {
    this.words.set([frame, block + 1, huge ? 1 : 0], index * WORDS);
  }

  add(frame: number, block: number, huge: boolean): void {
    const index = this.counts[0]!++;
    if (this.words.length < this.count * WORDS) {
      const wider = new Float64Array(2 * this.words.length);
      wider.set(this.words);
      this.words = wider;
    }
    this.put(index, frame, block, huge);
  }
}

/** Forgets the private pages of whole units of a piece and keeps their host blocks. Nothing maps them any more. */
export const keepUnits = (k: Vmm, area: number, from: number, to: number): void => {
  const piece = k.pieceOf(area);
  const start = k.map.start(area);
  for (let unit = Math.ceil(from / UNIT_PAGES); (unit + 1) * UNIT_PAGES <= to; unit++) {
    const block = piece.block[unit]!;
    if (block === 0) continue;
    const frame = start + unit * UNIT_PAGES;
    k.snp!.guest.rmp.find(k.host.frameOf(block - 1));
    k.aside.add(frame, block - 1, k.snp!.guest.rmp.large);
    piece.backed.removeRange(unit * UNIT_PAGES, (unit + 1) * UNIT_PAGES);
    piece.block[unit] = 0;
  }
};

/**
 * A hostile VMM shows the guest, in the units of guest frames [from, to), what it had set aside, and sets aside what is there now.
 *
 * @returns units that were exchanged
 */
export const exchange = (k: Vmm, from: number, to: number): number => {
  const { snp, aside, map } = k;
  let done = 0;
  for (let frame = from; snp !== undefined && frame < to; frame += UNIT_PAGES) {
    const kept = aside.find(frame);
    const area = map.find(frame);
    if (kept < 0 || area < 0) continue;
    const piece = k.pieceOf(area);
    const unit = (frame - map.start(area)) / UNIT_PAGES;
    const now = piece.block[unit]!;
    const wasHuge = piece.isHuge(unit);
    for (let page = 0; page < UNIT_PAGES; page++) {
      if (!piece.mapped.has(unit * UNIT_PAGES + page)) continue;
      snp.setAside(frame + page);
      piece.setUnmapped(unit * UNIT_PAGES + page);
    }
    const old = aside.blockOf(kept);
    const huge = aside.isHuge(kept);
    if (now !== 0) aside.put(kept, frame, now - 1, wasHuge);
    piece.block[unit] = old + 1;
    piece.backed.addRange(unit * UNIT_PAGES, (unit + 1) * UNIT_PAGES);
    snp.bringBack(frame, k.host.frameOf(old));
    if (huge) piece.setMappedHuge(unit);
    else
      for (let page = 0; page < UNIT_PAGES; page++)
        if (snp.guest.npt.translate(frame + page) >= 0) piece.setMapped(unit * UNIT_PAGES + page);
    done++;
  }
  return done;
};
