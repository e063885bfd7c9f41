import { assert } from "../assert.ts";
import { type Flat, type FlatRange, range } from "../flat/flat-range.ts";
import { capacityFor, grown8, grown16, grown32 } from "../flat/growth.ts";

/** Flags of an entry, in one byte. */
export const RMP_ASSIGNED = 1;
export const RMP_IMMUTABLE = 2;
export const RMP_VMSA = 4;
export const RMP_VALIDATED = 8;

const BLOCKS = 0;
const USED = 1;
const FREE_HEAD = 2;
const PAGES = 512;

/** Permissions of VMPL 1 to 3, four bits each; VMPL 0 has all. */
export const permissionShift = (vmpl: number): number => 4 * (vmpl - 1);

/**
 * The reverse map table: for each page of system memory whether it is a guest's, whose, at which guest-physical address, and
 * whether the guest has validated it.
 *
 * A 2 MiB block is described by one entry, or by 512 of 4 KiB, which have a chunk while one of them is assigned. The arrays begin
 * at a first block and grow by doubling, so a host of terabytes costs what is used. Frames stay below 2^32. `find` leaves its
 * result in `at` and `large`.
 *
 * @source Linux arch/x86/virt/svm/sev.c; AMD64 manual, volume 2, secure nested paging
 */
export class Rmp implements Flat {
  /** First 2 MiB block that the arrays describe, and the one behind the last that the table covers. */
  readonly firstBlock: number;
  readonly endBlock: number;
  /** Blocks known, chunks used, head of the free chunks (1-based). */
  readonly words = new Uint32Array(3);
  /** By block: flags, owner, guest frame and permissions of its 2 MiB entry; flags 0: it has none. */
  private bigFlags: Uint8Array = new Uint8Array(64);
  private bigAsid: Uint16Array = new Uint16Array(64);
  private bigGfn: Float64Array = new Float64Array(64);
  private bigPermissions: Uint16Array = new Uint16Array(64);
  /** Chunk of 4 KiB entries plus one, 0: none of them is assigned. */
  private chunk: Uint32Array = new Uint32Array(64);
  /** By chunk: how many entries are assigned; in a free chunk, the next free one. */
  private inUse: Uint32Array = new Uint32Array(0);
  private flags4k: Uint8Array = new Uint8Array(0);
  private asid4k: Uint16Array = new Uint16Array(0);
  private gfn4k: Float64Array = new Float64Array(0);
  private permissions4k: Uint16Array = new Uint16Array(0);
  /** Whether the entry of the last `find` is one of 2 MiB, and its place in the arrays; -1: a 4 KiB entry that is all zero. */
  large = false;
  at = -1;

  /** @param base first byte that the table covers @param size bytes; both multiples of 2 MiB */
  constructor(base: number, size: number) {
    assert(base % 2 ** 21 === 0 && size % 2 ** 21 === 0 && size > 0, "an RMP covers whole blocks of 2 MiB");
    this.firstBlock = base / 2 ** 21;
    this.endBlock = this.firstBlock + size / 2 ** 21;
  }

  /** Whether the table covers frames [frame, frame + count). */
  covers(frame: number, count = 1): boolean {
    return this.firstBlock * PAGES <= frame && frame + count <= this.endBlock * PAGES;
  }

  /** Looks an entry of a covered frame up. */
  find(frame: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    this.large = false;
    this.at = -1;
    if (block >= this.words[BLOCKS]!) return;
    const chunk = this.chunk[block]!;
    if (chunk !== 0) this.at = (chunk - 1) * PAGES + (frame & 511);
    else if (this.bigFlags[block] !== 0) {
      this.large = true;
      this.at = block;
    }
  }

  /** What the entry of the last `find` holds. */
  get flags(): number {
    if (this.at < 0) return 0;
    return this.large ? this.bigFlags[this.at]! : this.flags4k[this.at]!;
  }
  get asid(): number {
    if (this.at < 0) return 0;
    return this.large ? this.bigAsid[this.at]! : this.asid4k[this.at]!;
  }
  /** Guest frame of the entry: of its first page, for a 2 MiB entry. */
  get gfn(): number {
    if (this.at < 0) return 0;
    return this.large ? this.bigGfn[this.at]! : this.gfn4k[this.at]!;
  }
  get permissions(): number {
    if (this.at < 0) return 0;
    return this.large ? this.bigPermissions[this.at]! : this.permissions4k[this.at]!;
  }

  /** Writes the flags of the entry of the last `find`, which stays assigned. */
  setFlags(flags: number): void {
    assert(this.at >= 0 && (flags & RMP_ASSIGNED) !== 0, "flags are written to an entry that stays assigned");
    if (this.large) this.bigFlags[this.at] = flags;
    else this.flags4k[this.at] = flags;
  }

  setPermissions(permissions: number): void {
    assert(this.at >= 0, "permissions are written to an entry that exists");
    if (this.large) this.bigPermissions[this.at] = permissions;
    else this.permissions4k[this.at] = permissions;
  }

  /** Whether the frame is this guest's, at this guest frame, by the entry of whatever size. Leaves the entry found. */
  belongs(frame: number, asid: number, gfn: number): boolean {
    this.find(frame);
    const { at } = this;
    if (at < 0) return false;
    // Every entry that exists is assigned, but for those of a chunk that other pages hold.
    if (this.large) return this.bigAsid[at] === asid && this.bigGfn[at]! + (frame & 511) === gfn;
    return this.flags4k[at] !== 0 && this.asid4k[at] === asid && this.gfn4k[at] === gfn;
  }

  /** Whether the guest may use the frame at this guest frame: it is its own and validated. */
  isValid(frame: number, asid: number, gfn: number): boolean {
    return this.belongs(frame, asid, gfn) && (this.flags & RMP_VALIDATED) !== 0;
  }

  /** Whether some page of a block of 2 MiB is assigned by an entry of 4 KiB. */
  hasSmall(frame: number): boolean {
    const block = (frame >>> 9) - this.firstBlock;
    return block < this.words[BLOCKS]! && this.chunk[block] !== 0;
  }

  /** Assigns a page: 4 KiB, or a block of 2 MiB that no entry of 4 KiB takes part of. */
  assign(frame: number, big: boolean, gfn: number, asid: number, flags: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    this.know(block);
    if (big) {
      this.bigFlags[block] = flags | RMP_ASSIGNED;
      this.bigAsid[block] = asid;
      this.bigGfn[block] = gfn;
      this.bigPermissions[block] = 0;
      return;
    }
    if (this.chunk[block] === 0) this.giveChunk(block);
    const chunk = this.chunk[block]! - 1;
    const at = chunk * PAGES + (frame & 511);
    if (this.flags4k[at] === 0) this.inUse[chunk]!++;
    this.flags4k[at] = flags | RMP_ASSIGNED;
    this.asid4k[at] = asid;
    this.gfn4k[at] = gfn;
    this.permissions4k[at] = 0;
  }

  /** Makes a page shared again: the 4 KiB page, or the whole block of a 2 MiB entry. */
  unassign(frame: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    if (block >= this.words[BLOCKS]!) return;
    if (this.chunk[block] === 0) this.bigFlags[block] = 0;
    else {
      const chunk = this.chunk[block]! - 1;
      const at = chunk * PAGES + (frame & 511);
      if (this.flags4k[at] === 0) return;
      this.flags4k[at] = 0;
      if (--this.inUse[chunk]! === 0) this.freeChunk(block);
    }
  }

  /** PSMASH of a block with a 2 MiB entry: 512 entries that say the same of their pages. */
  smash(frame: number): void {
    const block = (frame >>> 9) - this.firstBlock;
    const flags = this.bigFlags[block]!;
    const [asid, gfn, permissions] = [this.bigAsid[block]!, this.bigGfn[block]!, this.bigPermissions[block]!];
    this.bigFlags[block] = 0;
    this.giveChunk(block);
    const chunk = this.chunk[block]! - 1;
    const first = chunk * PAGES;
    this.flags4k.fill(flags, first, first + PAGES);
    this.asid4k.fill(asid, first, first + PAGES);
    this.permissions4k.fill(permissions, first, first + PAGES);
    for (let page = 0; page < PAGES; page++) this.gfn4k[first + page] = gfn + page;
    this.inUse[chunk] = PAGES;
  }

  private know(block: number): void {
    if (block < this.words[BLOCKS]!) return;
    this.words[BLOCKS] = block + 1;
    this.roomForBlocks();
  }

  private roomForBlocks(): void {
    const room = capacityFor(this.bigFlags.length, this.words[BLOCKS]!);
    if (room === this.bigFlags.length) return;
    this.bigFlags = grown8(this.bigFlags, room);
    this.bigAsid = grown16(this.bigAsid, room);
    this.bigPermissions = grown16(this.bigPermissions, room);
    this.chunk = grown32(this.chunk, room);
    this.bigGfn = wider(this.bigGfn, room);
  }

  private roomForChunks(): void {
    const room = capacityFor(this.inUse.length, this.words[USED]!);
    if (room === this.inUse.length) return;
    this.inUse = grown32(this.inUse, room);
    this.flags4k = grown8(this.flags4k, room * PAGES);
    this.asid4k = grown16(this.asid4k, room * PAGES);
    this.permissions4k = grown16(this.permissions4k, room * PAGES);
    this.gfn4k = wider(this.gfn4k, room * PAGES);
  }

  private giveChunk(block: number): void {
    const free = this.words[FREE_HEAD]!;
    if (free !== 0) this.words[FREE_HEAD] = this.inUse[free - 1]!;
    else {
      this.words[USED]!++;
      this.roomForChunks();
    }
    const chunk = free === 0 ? this.words[USED]! : free;
    this.chunk[block] = chunk;
    this.inUse[chunk - 1] = 0;
    this.flags4k.fill(0, (chunk - 1) * PAGES, chunk * PAGES);
  }

  private freeChunk(block: number): void {
    const chunk = this.chunk[block]!;
    this.chunk[block] = 0;
    this.inUse[chunk - 1] = this.words[FREE_HEAD]!;
    this.words[FREE_HEAD] = chunk;
  }

  flat(): readonly FlatRange[] {
    const [blocks, chunks] = [this.words[BLOCKS]!, this.words[USED]!];
    const big = [this.bigFlags, this.bigAsid, this.bigGfn, this.bigPermissions, this.chunk];
    const small = [this.flags4k, this.asid4k, this.gfn4k, this.permissions4k];
    return [
      range(this.words, 3),
      ...big.map((array) => range(array, blocks)),
      range(this.inUse, chunks),
      ...small.map((array) => range(array, chunks * PAGES)),
    ];
  }

  reserve(): void {
    this.roomForBlocks();
    this.roomForChunks();
    this.at = -1;
  }
}

const wider = (old: Float64Array, length: number): Float64Array => {
  const longer = new Float64Array(length);
  longer.set(old);
  return longer;
};
