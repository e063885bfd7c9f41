/** log2 of the pages that get room together: those of 2 MiB. */
const GROUP_ORDER = 9;
const GROUP = 2 ** GROUP_ORDER;
/** Mark of a group that is nobody's: the complement of owner 0. */
const NOBODY = ~0;
/** Groups shared by several owners that a machine has at first; more of them make the pool grow. */
const TYPICAL_GROUPS = 8;

/**
 * Who has an allocated page, by page index; 0: nobody in particular.
 *
 * A group has room for the owner of each page once its pages differ: most of them are nobody's in particular or all of one
 * owner, and room for all would be most of what the machine takes.
 */
export class PageOwners {
  /** Where in `pool` a group starts; negative: nowhere yet, and this is the complement of its one owner. */
  private starts = new Int32Array(0);
  pool = new Uint16Array(TYPICAL_GROUPS * GROUP);
  /** [0] How much of the pool is in use. */
  private readonly words = new Uint32Array(1);

  /** Grows with every change of the pool. */
  version = 0;

  /** Makes room for the names of `pages` pages. */
  reserve(pages: number): void {
    const wider = new Int32Array(Math.ceil(pages / GROUP)).fill(NOBODY);
    wider.set(this.starts);
    this.starts = wider;
  }

  of(index: number): number {
    const start = this.starts[index >> GROUP_ORDER]!;
    return start < 0 ? ~start : this.pool[start + (index & (GROUP - 1))]!;
  }

  /** Gives pages [index, end) to an owner. */
  set(index: number, end: number, owner: number): void {
    this.version++;
    for (let at = index; at < end; ) {
      const group = at >> GROUP_ORDER;
      const next = Math.min(end, (group + 1) << GROUP_ORDER);
      this.setInGroup(group, at & (GROUP - 1), next - (group << GROUP_ORDER), owner);
      at = next;
    }
  }

  /** The same in one group, from its page `from` to before `to`. */
  private setInGroup(group: number, from: number, to: number, owner: number): void {
    const before = this.starts[group]!;
    if (before < 0 && (to - from === GROUP || before === ~owner)) this.starts[group] = ~owner;
    else {
      const start = this.room(group);
      this.pool.fill(owner, start + from, start + to);
    }
  }

  /** Makes room for all pages, so that where the owner of one lies does not depend on who had memory before. */
  makeRoom(): void {
    for (let group = 0; group < this.starts.length; group++) this.room(group);
  }

  /** Where the owners of a group's pages lie, which may be asked for the first time. */
  private room(group: number): number {
    const before = this.starts[group]!;
    if (before >= 0) return before;
    const start = this.words[0]!;
    this.words[0] = start + GROUP;
    if (start + GROUP > this.pool.length) {
      const wider = new Uint16Array(2 * this.pool.length);
      wider.set(this.pool);
      this.pool = wider;
    }
    this.pool.fill(~before, start, start + GROUP);
    this.starts[group] = start;
    return start;
  }
}
