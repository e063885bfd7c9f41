/**
 * Cache lines that the host wrote through its own key id and that have not reached memory.
 *
 * Where the platform does not keep the two key ids of a page coherent (CLFLUSH_BEFORE_ALLOC), such a line is written back
 * after the page became private, and destroys what the module put there.
 *
 * @source TDX module 1.5.25, CLFLUSH_BEFORE_ALLOC; Linux arch/x86/virt/vmx/tdx/tdx.c, tdx_clflush_page; Linux TDX Module
 *   Extensions series, v1 and v2, on flushing
 */
export class HostCaches {
  /** Whether the platform needs the flush. */
  readonly mustFlush: boolean;
  private readonly dirty = new Set<number>();
  private readonly corrupt: number[] = [];

  constructor(mustFlush: boolean) {
    this.mustFlush = mustFlush;
  }

  /** The host wrote to a page: by byte address. Nothing is kept where it does no harm. */
  wrote(page: number): void {
    if (this.mustFlush) this.dirty.add(page);
  }
  /** CLFLUSH of a page. */
  flush(page: number): void {
    this.dirty.delete(page);
  }
  /** WBINVD on all processors. */
  flushAll(): void {
    this.dirty.clear();
  }

  /** Pages that became private: their dirty lines will be written back under the wrong key id. */
  becamePrivate(page: number): void {
    if (this.mustFlush && this.dirty.delete(page)) this.corrupt.push(page);
  }

  /** Private pages whose content the host's lines destroyed, by byte address. */
  get corrupted(): readonly number[] {
    return this.corrupt;
  }
}
