import { RCX, RDX, type Regs } from "../abi/tdx/regs.ts";
import { SEPT_IS_LEAF, SEPT_REPORTED, SEPT_STATES, septEntryArch } from "../abi/tdx/sept-entry.ts";
import type { Sept } from "./sept.ts";

const LO = Uint32Array.from(SEPT_STATES, (state) => Number(septEntryArch(state, 0) & 0xffff_ffffn));
const HI = Uint32Array.from(SEPT_STATES, (state) => Number(septEntryArch(state, 0) >> 32n));

/**
 * Writes what a SEAMCALL tells of the entry where the walk ended: RCX the architectural entry, RDX level and
 * state number. A PENDING 2 MiB leaf shows its ACCEPT_COUNTER in the address, as 1.5.25 does.
 *
 * @source TDX module 1.5.25
 */
export const reportEntry = (sept: Sept, regs: Regs): void => {
  const state = sept.stateHere;
  const frame = SEPT_IS_LEAF[state] === 1 ? sept.payloadHere : 0;
  regs[2 * RCX] = LO[state]! | (frame << 12);
  regs[2 * RCX + 1] = HI[state]! | (frame >>> 20);
  regs[2 * RDX] = sept.level | (SEPT_REPORTED[state]! << 8);
  regs[2 * RDX + 1] = 0;
};
