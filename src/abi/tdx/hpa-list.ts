import { assert } from "../../assert.ts";
import type { Hfn } from "../../units.ts";
import { HPA_LIST_ENTRIES, hpaListInfo } from "./hpa-list-info.ts";

/**
 * A page that lists host-physical addresses, for calls that take HPA_LIST_INFO: 64-bit addresses of 4 KiB pages, little
 * endian, at most 512 of them. A type of its own, so that a count of entries is never mistaken for one of bytes, nor
 * the list's page for one of those that it lists.
 *
 * @source Linux patch series "TDX Module Extensions", review of v1 and v2, 2026-06
 */
export class HpaList {
  /** Frame that the list lies in. It stays the host's. */
  readonly page: Hfn;
  private readonly bytes = new Uint8Array(8 * HPA_LIST_ENTRIES);
  private readonly view = new DataView(this.bytes.buffer);
  private used = 0;

  constructor(page: Hfn) {
    this.page = page;
  }

  get length(): number {
    return this.used;
  }
  get isFull(): boolean {
    return this.used === HPA_LIST_ENTRIES;
  }

  clear(): void {
    this.used = 0;
    this.bytes.fill(0);
  }

  /** Appends the address of one 4 KiB page. */
  push(frame: Hfn): void {
    assert(!this.isFull, () => `a list page holds ${HPA_LIST_ENTRIES} entries`);
    this.view.setUint32(8 * this.used, (frame << 12) >>> 0, true);
    this.view.setUint32(8 * this.used + 4, Math.floor(frame / 2 ** 20), true);
    this.used++;
  }

  /** The page as the module reads it. It aliases the list. */
  get content(): Uint8Array {
    return this.bytes;
  }

  /** The word that hands the whole list over. */
  get info(): bigint {
    return hpaListInfo(this.page, this.used);
  }
}
