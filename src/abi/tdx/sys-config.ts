import { word } from "../word.ts";

/**
 * R8 of TDH.SYS.CONFIG: the global private key id, and what the module is to do otherwise than by default.
 *
 * @source TDX module 1.5.25, TDH.SYS.CONFIG
 */
export const SYS_CONFIG_OPTIONS = word({
  hkid: [15, 0],
  dynamicPamt: [16, 16],
});

/** Alignment of the array of TDMR_INFO addresses that RCX of TDH.SYS.CONFIG names, in bytes. */
export const TDMR_ARRAY_ALIGNMENT = 512;

/**
 * Limits that the module reports, as every public module has them.
 *
 * @source TDX module 1.5.01 and 2.0, MAX_TDMRS and MAX_RESERVED_AREAS
 */
export const DEFAULT_MAX_TDMRS = 64;
export const DEFAULT_MAX_RESERVED_PER_TDMR = 16;

/** Frames of 4 KiB that one TDH.SYS.TDMR.INIT makes metadata for; more of them where the 4 KiB metadata is a bitmap. */
export const TDMR_INIT_FRAMES = 1024;
export const TDMR_INIT_FRAMES_DYNAMIC = 4096;
