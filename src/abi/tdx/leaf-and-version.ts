import { word } from "../word.ts";
import { anyBitSet, reader } from "../word-reader.ts";

/**
 * RAX on the way into a TDCALL or SEAMCALL.
 *
 * @source TDX module ABI, TDCALL and SEAMCALL instruction
 */
export const LEAF_AND_VERSION = word({ leaf: [15, 0], version: [23, 16] });

/** The same word read from two halves. */
export const leafAndVersion = {
  leaf: reader([15, 0]),
  version: reader([23, 16]),
  reserved: anyBitSet([31, 24], [63, 32]),
} as const;
