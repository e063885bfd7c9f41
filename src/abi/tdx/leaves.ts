/**
 * TDCALL leaf numbers (RAX bits 15:0 of the guest's call).
 *
 * Leaf 27 is INVVPID in the 1.5 modules and INVGLA in later documents. The other TDX Connect guest leaves
 * are not in the table: their numbers were not found.
 *
 * @source TDX module 1.5.25, leaf enumeration; TDX module ABI 348551-006; TDX module 2.0 state tables
 */
export const TDG = {
  "TDG.VP.VMCALL": 0,
  "TDG.VP.INFO": 1,
  "TDG.MR.RTMR.EXTEND": 2,
  "TDG.VP.VEINFO.GET": 3,
  "TDG.MR.REPORT": 4,
  "TDG.VP.CPUIDVE.SET": 5,
  "TDG.MEM.PAGE.ACCEPT": 6,
  "TDG.VM.RD": 7,
  "TDG.VM.WR": 8,
  "TDG.VP.RD": 9,
  "TDG.VP.WR": 10,
  "TDG.SYS.RD": 11,
  "TDG.SYS.RDALL": 12,
  "TDG.SYS.RDM": 13,
  "TDG.VM.RDM": 14,
  "TDG.VM.WRM": 15,
  "TDG.VP.RDM": 16,
  "TDG.VP.WRM": 17,
  "TDG.SERVTD.RD": 18,
  "TDG.SERVTD.RDM": 19,
  "TDG.SERVTD.WR": 20,
  "TDG.SERVTD.WRM": 21,
  "TDG.MR.VERIFYREPORT": 22,
  "TDG.MEM.PAGE.ATTR.RD": 23,
  "TDG.MEM.PAGE.ATTR.WR": 24,
  "TDG.VP.ENTER": 25,
  "TDG.VP.INVEPT": 26,
  "TDG.VP.INVVPID": 27,
  "TDG.MR.ASSIGNSVNS": 28,
  "TDG.MR.KEY.GET": 29,
  "TDG.MEM.PAGE.RELEASE": 30,
  "TDG.MMIO.ACCEPT": 71,
} as const;
export type TdgLeaf = keyof typeof TDG;

/**
 * SEAMCALL leaf numbers (RAX bits 15:0 of the host's call).
 *
 * Leaf 42 is SYS.RDM in later documents and MEM.SEPT.WR in 1.5.25.
 *
 * @source TDX module 1.5.25, leaf enumeration; TDX module ABI 348551-006; Linux TDX Module Extensions v2, 2026-06
 */
export const TDH = {
  "TDH.VP.ENTER": 0,
  "TDH.MNG.ADDCX": 1,
  "TDH.MEM.PAGE.ADD": 2,
  "TDH.MEM.SEPT.ADD": 3,
  "TDH.VP.ADDCX": 4,
  "TDH.MEM.PAGE.RELOCATE": 5,
  "TDH.MEM.PAGE.AUG": 6,
  "TDH.MEM.RANGE.BLOCK": 7,
  "TDH.MNG.KEY.CONFIG": 8,
  "TDH.MNG.CREATE": 9,
  "TDH.VP.CREATE": 10,
  "TDH.MNG.RD": 11,
  "TDH.MEM.RD": 12,
  "TDH.MNG.WR": 13,
  "TDH.MEM.WR": 14,
  "TDH.MEM.PAGE.DEMOTE": 15,
  "TDH.MR.EXTEND": 16,
  "TDH.MR.FINALIZE": 17,
  "TDH.VP.FLUSH": 18,
  "TDH.MNG.VPFLUSHDONE": 19,
  "TDH.MNG.KEY.FREEID": 20,
  "TDH.MNG.INIT": 21,
  "TDH.VP.INIT": 22,
  "TDH.MEM.PAGE.PROMOTE": 23,
  "TDH.PHYMEM.PAGE.RDMD": 24,
  "TDH.MEM.SEPT.RD": 25,
  "TDH.VP.RD": 26,
  "TDH.MNG.KEY.RECLAIMID": 27,
  "TDH.PHYMEM.PAGE.RECLAIM": 28,
  "TDH.MEM.PAGE.REMOVE": 29,
  "TDH.MEM.SEPT.REMOVE": 30,
  "TDH.SYS.KEY.CONFIG": 31,
  "TDH.SYS.INFO": 32,
  "TDH.SYS.INIT": 33,
  "TDH.SYS.RD": 34,
  "TDH.SYS.LP.INIT": 35,
  "TDH.SYS.TDMR.INIT": 36,
  "TDH.SYS.RDALL": 37,
  "TDH.MEM.TRACK": 38,
  "TDH.MEM.RANGE.UNBLOCK": 39,
  "TDH.PHYMEM.CACHE.WB": 40,
  "TDH.PHYMEM.PAGE.WBINVD": 41,
  "TDH.SYS.RDM": 42,
  "TDH.VP.WR": 43,
  "TDH.SYS.LP.SHUTDOWN": 44,
  "TDH.SYS.CONFIG": 45,
  "TDH.MNG.RDM": 46,
  "TDH.MNG.WRM": 47,
  "TDH.SERVTD.BIND": 48,
  "TDH.SERVTD.PREBIND": 49,
  "TDH.VP.RDM": 50,
  "TDH.VP.WRM": 51,
  "TDH.SYS.SHUTDOWN": 52,
  "TDH.SYS.UPDATE": 53,
  "TDH.PHYMEM.PAMT.ADD": 58,
  "TDH.PHYMEM.PAMT.REMOVE": 59,
  "TDH.EXT.INIT": 60,
  "TDH.EXT.MEM.ADD": 61,
  "TDH.EXPORT.ABORT": 64,
  "TDH.EXPORT.BLOCKW": 65,
  "TDH.EXPORT.RESTORE": 66,
  "TDH.EXPORT.MEM": 68,
  "TDH.EXPORT.PAUSE": 70,
  "TDH.EXPORT.TRACK": 71,
  "TDH.EXPORT.STATE.IMMUTABLE": 72,
  "TDH.EXPORT.STATE.TD": 73,
  "TDH.EXPORT.STATE.VP": 74,
  "TDH.EXPORT.UNBLOCKW": 75,
  "TDH.IMPORT.ABORT": 80,
  "TDH.IMPORT.END": 81,
  "TDH.IMPORT.COMMIT": 82,
  "TDH.IMPORT.MEM": 83,
  "TDH.IMPORT.TRACK": 84,
  "TDH.IMPORT.STATE.IMMUTABLE": 85,
  "TDH.IMPORT.STATE.TD": 86,
  "TDH.IMPORT.STATE.VP": 87,
  "TDH.MIG.STREAM.CREATE": 96,
  "TDH.QUOTE.GET": 98,
  "TDH.QUOTE.INIT": 100,
  "TDH.IOMMU.SETUP": 128,
  "TDH.IOMMU.CLEAR": 129,
  "TDH.MMIO.MAP": 158,
  "TDH.MMIO.BLOCK": 159,
  "TDH.MMIO.UNMAP": 160,
  "TDH.MEM.SHARED.SEPT.WR": 163,
} as const;
export type TdhLeaf = keyof typeof TDH;

const byNumber = <Name extends string>(table: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> =>
  new Map((Object.entries(table) as [Name, number][]).map(([name, leaf]) => [leaf, name]));

export const TDG_NAMES: ReadonlyMap<number, TdgLeaf> = byNumber(TDG);
export const TDH_NAMES: ReadonlyMap<number, TdhLeaf> = byNumber(TDH);

/** The guest leaf's name; an unknown number prints as `TDG 99`. */
export const tdgName = (leaf: number): string => TDG_NAMES.get(leaf) ?? `TDG ${leaf}`;
/** The host leaf's name; an unknown number prints as `TDH 199`. */
export const tdhName = (leaf: number): string => TDH_NAMES.get(leaf) ?? `TDH ${leaf}`;
