import { word } from "../word.ts";

/**
 * Registers of TDG.VP.VEINFO.GET. RDX is the exit qualification, R8 the linear and R9 the physical address.
 *
 * @source TDX module ABI, TDG.VP.VEINFO.GET
 */
export const VE_INFO_RCX = word({ exitReason: [31, 0], category: [63, 32] }); // category from version 1 on
export const VE_INFO_R10 = word({ instructionLength: [31, 0], instructionInformation: [63, 32] });

/**
 * Registers of TDG.VP.INFO. RDX is ATTRIBUTES.
 *
 * @source TDX module ABI, TDG.VP.INFO
 */
export const VP_INFO_RCX = word({ gpaw: [5, 0] });
export const VP_INFO_R8 = word({ numVcpus: [31, 0], maxVcpus: [63, 32] });
export const VP_INFO_R10 = word({ sysReadAvailable: [0, 0] });
