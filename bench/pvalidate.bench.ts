import { RMP_2M, RMP_4K } from "../src/abi/snp/rmp-entry.ts";
import { pvalidate } from "../src/snp/pvalidate.ts";
import { Rmp } from "../src/snp/rmp.ts";
import { rmpUpdate } from "../src/snp/rmpupdate.ts";
import { SnpGuest } from "../src/snp/snp-guest.ts";
import { figure, heading, median, millions, processorSeconds } from "./stopwatch.ts";

const GIB = 2 ** 30;
const BASE = 4 * GIB;
const ASID = 1;

/** A guest to which [0, bytes) was assigned and mapped with pages of one size, none validated. */
const guestOf = (bytes: number, size: number): SnpGuest => {
  const guest = new SnpGuest(new Rmp(BASE, bytes), ASID, 1);
  const pages = size === RMP_2M ? 512 : 1;
  for (let gfn = 0; gfn < bytes / 4096; gfn += pages) {
    const frame = BASE / 4096 + gfn;
    rmpUpdate(guest, frame, { gfn, assigned: true, size, immutable: false, asid: ASID });
    if (size === RMP_2M) guest.npt.mapLarge(gfn, frame);
    else guest.npt.mapSmall(gfn, frame);
  }
  return guest;
};

heading("PVALIDATE, one core");
for (const [name, size, bytes] of [
  ["4K", RMP_4K, 16 * GIB],
  ["2M", RMP_2M, 4096 * GIB],
] as const) {
  const step = size === RMP_2M ? 2 ** 21 : 4096;
  const rates: number[] = [];
  for (let run = 0; run < 5; run++) {
    const guest = guestOf(bytes, size);
    let refused = 0;
    const time = processorSeconds(() => {
      for (let gpa = 0; gpa < bytes; gpa += step) if (pvalidate(guest, 0, gpa, size, 1) !== 0) refused++;
    });
    if (refused > 0) throw new Error(`${refused} were refused`);
    rates.push(bytes / step / time);
  }
  figure(
    `PVALIDATE of ${bytes / step} ${name} pages`,
    `${millions(median(rates))}, best ${millions(Math.max(...rates))}`,
    "goal: 20 M/s",
  );
}
