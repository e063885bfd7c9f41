import { word } from "../word.ts";

/**
 * Low quadword of an entry of the reverse map table (RMP): what a page of system memory is, and whose. The high quadword
 * is reserved.
 *
 * An entry of 2 MiB speaks for its 512 pages of 4 KiB. The layout is that of family 19h, model 01h; it is not architectural.
 *
 * @source Linux arch/x86/virt/svm/sev.c, struct rmpentry
 */
export const RMP_ENTRY = word({
  assigned: [0, 0], // 0: shared, the hypervisor's
  pageSize: [1, 1], // 1: 2 MiB
  immutable: [2, 2], // only firmware changes it
  gpaPage: [50, 12], // guest-physical page number
  asid: [60, 51],
  vmsa: [61, 61],
  validated: [62, 62],
});

/** Bytes of one entry, and of the table's head before the first of them. */
export const RMP_ENTRY_BYTES = 16;
export const RMP_HEAD_BYTES = 0x4000;

/** Page sizes as RMP entries, RMPUPDATE, PVALIDATE and RMPADJUST give them. */
export const RMP_4K = 0;
export const RMP_2M = 1;

/** What RMPUPDATE answers. 0: done. @source Linux arch/x86/include/asm/sev-common.h; AMD64 manual for 1 and 2 */
export const RMPUPDATE_RESULT = {
  SUCCESS: 0,
  FAIL_INPUT: 1,
  FAIL_PERMISSION: 2,
  FAIL_INUSE: 3,
  FAIL_OVERLAP: 4,
} as const;
/** What PSMASH answers. 0: done. @source Linux arch/x86/include/asm/sev.h */
export const PSMASH_RESULT = {
  SUCCESS: 0,
  FAIL_INPUT: 1,
  FAIL_PERMISSION: 2,
  FAIL_INUSE: 3,
  FAIL_BADADDR: 4,
} as const;
/** What RMPADJUST answers. 0: done. @source Linux arch/x86/include/asm/sev.h; SVSM */
export const RMPADJUST_RESULT = {
  SUCCESS: 0,
  FAIL_INPUT: 1,
  FAIL_PERMISSION: 2,
  FAIL_SIZEMISMATCH: 6,
} as const;

/**
 * What PVALIDATE answers in EAX; NO_UPDATE is EAX 0 with the carry flag set, by the number that Linux gives it.
 *
 * @source Linux arch/x86/include/asm/sev.h, pvalidate()
 */
export const PVALIDATE_RESULT = { SUCCESS: 0, FAIL_INPUT: 1, FAIL_SIZEMISMATCH: 6, NO_UPDATE: 255 } as const;

const nameIn = (table: { readonly [name: string]: number }, what: string, result: number): string =>
  Object.entries(table).find(([, number]) => number === result)?.[0] ?? `${what} result ${result}`;

/** Names of results; a number that has none keeps it. */
export const pvalidateResultName = (result: number): string => nameIn(PVALIDATE_RESULT, "PVALIDATE", result);
export const rmpUpdateResultName = (result: number): string => nameIn(RMPUPDATE_RESULT, "RMPUPDATE", result);
export const psmashResultName = (result: number): string => nameIn(PSMASH_RESULT, "PSMASH", result);

/** RDX of RMPADJUST. */
export const RMPADJUST_ATTRIBUTES = word({
  targetVmpl: [7, 0],
  permissions: [11, 8], // read, write, execute as user, execute as supervisor, from bit 8 up
  vmsa: [16, 16],
});
export const VMPL_READ = 1;
export const VMPL_WRITE = 2;
