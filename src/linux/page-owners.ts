const EMPTY = 0;
/** log2 of the pages that get room together: those of 2 MiB. */
const GROUP_ORDER = 9;
const GROUP = 2 ** GROUP_ORDER;
/** Groups with an owner that a machine has at first; more of them make the pool grow. */
const TYPICAL_GROUPS = 8;

/**
 * Who has an allocated page, by page index; 0: nobody in particular.
 *
 * Room comes with the first page of a group that somebody has: most memory of a machine is nobody's in particular,
 * and room for all of it would be most of what the machine takes.
 */
export class PageOwners {
  /** Where in `pool` a group starts; 0: nowhere yet. */
  private starts = new Uint32Array(0);
  pool = new Uint16Array(TYPICAL_GROUPS * GROUP);
  /** [0] How much of the pool is in use. Its first group belongs to nobody. */
  private readonly words = Uint32Array.of(GROUP);

  /** Grows with every change of the pool. */
  version = 0;

  /** Makes room for the names of `pages` pages. */
  reserve(pages: number): void {
    const wider = new Uint32Array(Math.ceil(pages / GROUP));
    wider.set(this.starts);
    this.starts = wider;
  }

  of(index: number): number {
    const start = this.starts[index >> GROUP_ORDER]!;
    return start === EMPTY ? 0 : this.pool[start + (index & (GROUP - 1))]!;
  }

  /** Gives pages [index, end) to an owner. */
  set(index: number, end: number, owner: number): void {
    this.version++;
    for (let at = index; at < end; ) {
      const group = at >> GROUP_ORDER;
      const next = Math.min(end, (group + 1) << GROUP_ORDER);
      if (this.starts[group] === EMPTY && owner !== 0) this.starts[group] = this.take();
      const first = this.starts[group]! - (group << GROUP_ORDER);
      if (this.starts[group] !== EMPTY) this.pool.fill(owner, first + at, first + next);
      at = next;
    }
  }

  /** Makes room for all pages, so that where the owner of one lies does not depend on who had memory before. */
  makeRoom(): void {
    for (let group = 0; group < this.starts.length; group++)
      if (this.starts[group] === EMPTY) this.starts[group] = this.take();
  }

  private take(): number {
    const start = this.words[0]!;
    this.words[0] = start + GROUP;
    if (start + GROUP > this.pool.length) {
      const wider = new Uint16Array(2 * this.pool.length);
      wider.set(this.pool);
      this.pool = wider;
    }
    return start;
  }
}
