import { findNextBoth, findNextSet, setBit } from "../src/flat/bitmap.ts";
import { figure, gigabytes, heading, medianSeconds } from "./stopwatch.ts";

/** The bitmap of a 4 PiB window: 256 MiB, all accepted but the last unit. */
const BYTES = 256 * 2 ** 20;
const RUNS = 15;
/** Bitmaps of a machine of 64 GiB, as often as a long play searches them: the code is compiled by then. */
const WARM_UP = { bytes: 4096, calls: 20_000 };

heading("next set bit in a bitmap of 256 MiB of zeroes");
const bits = new Uint8Array(BYTES).fill(0);
const other = new Uint8Array(BYTES).fill(0);
setBit(bits, BYTES * 8 - 1);
setBit(other, BYTES * 8 - 1);

const small = new Uint8Array(WARM_UP.bytes);
for (let call = 0; call < WARM_UP.calls; call++) {
  findNextSet(small, WARM_UP.bytes * 8, 0);
  findNextBoth(small, small, WARM_UP.bytes * 8, 0);
}

let found = 0;
const find = medianSeconds(RUNS, () => {
  found += findNextSet(bits, BYTES * 8, 0);
});
const both = medianSeconds(RUNS, () => {
  found += findNextBoth(bits, other, BYTES * 8, 0);
});
if (found !== 2 * RUNS * (BYTES * 8 - 1)) throw new Error(`the search found ${found}`);

// What the memory gives: memcmp reads two ranges and does nothing else.
const left = Buffer.from(bits.buffer);
const right = Buffer.from(other.buffer);
const compare = medianSeconds(RUNS, () => {
  if (Buffer.compare(left, right) !== 0) throw new Error("the bitmaps differ");
});

const bandwidth = (2 * BYTES) / compare;
const ratio = (speed: number) => `${(speed / bandwidth).toFixed(2)} of memory bandwidth (goal: 0.50)`;
figure("memory bandwidth, memcmp of two ranges", gigabytes(bandwidth));
figure("findNextSet", gigabytes(BYTES / find), ratio(BYTES / find));
// It leaps from one to the other, so of two empty ones it reads one.
figure("findNextBoth, two bitmaps", gigabytes(BYTES / both), ratio(BYTES / both));
