/**
 * Dynamic PAMT as the VMM uses it: each block of 2 MiB that TDX has 4 KiB pages of has a pair of pages for their metadata. A call may
 * make a SEAMCALL of its own, so none shares its step with the SEAMCALL that takes the page or gives it back.
 *
 * @source Linux "Dynamic PAMT" patch series, tdx_pamt_get and tdx_pamt_put
 */
export interface PamtPairs {
  /** TDX is about to get a 4 KiB page. @returns false, and nothing done, if the host has no pages for its metadata */
  get(frame: number): boolean;
  /** TDX has given it back, or never got it. */
  put(frame: number): void;
  /** Whether the block of a frame has its pair. */
  has(frame: number): boolean;
  /** Two pages for a pair that TDH.MEM.PAGE.DEMOTE brings; undefined if the host has none. */
  takePages(): readonly [number, number] | undefined;
  giveFrame(frame: number): void;
  /** DEMOTE took such a pair: the block of a frame is 512 pages of 4 KiB now. */
  noteSplit(frame: number): void;
}
