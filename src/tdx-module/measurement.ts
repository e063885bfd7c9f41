import { SHA384_BLOCK_BYTES, sha384Block, sha384Finish, sha384Start } from "./sha384.ts";
import { TD_WORD } from "./td-words.ts";

const block = new Uint8Array(SHA384_BLOCK_BYTES);
const view = new DataView(block.buffer);
const GPA_OFFSET = 16;

const setName = (name: string): void => {
  block.fill(0);
  for (let i = 0; i < name.length; i++) block[i] = name.charCodeAt(i);
};

/** TDH.MNG.INIT: starts the measurement of the TD's initial image; the runtime registers are zero. */
export const startMeasurement = (words: Uint32Array): void => {
  sha384Start(words, TD_WORD.BUILD_HASH);
  words.fill(0, TD_WORD.MRTD, TD_WORD.BUILD_HASH);
};

/**
 * TDH.MEM.PAGE.ADD: one block with the call's name and, from byte 16 on, the GPA. The page's content is not
 * in it; TDH.MR.EXTEND adds that.
 *
 * @source TDX module 1.5.25, TDH.MEM.PAGE.ADD
 */
export const measurePageAdd = (words: Uint32Array, gpaLo: number, gpaHi: number): void => {
  setName("MEM.PAGE.ADD");
  view.setUint32(GPA_OFFSET, gpaLo, true);
  view.setUint32(GPA_OFFSET + 4, gpaHi, true);
  sha384Block(words, TD_WORD.BUILD_HASH, block);
};

/** TDH.MR.FINALIZE: MRTD is final. */
export const finishMeasurement = (words: Uint32Array): void => {
  sha384Finish(words, TD_WORD.BUILD_HASH, TD_WORD.MRTD);
  words.fill(0, TD_WORD.BUILD_HASH, TD_WORD.BUILD_HASH + 17);
};
