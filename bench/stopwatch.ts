import { cpus } from "node:os";

/**
 * Seconds of processor time that `work` took, the collection of its garbage and the compilation of its code included.
 * On a machine that others use too it says more than the clock does.
 */
export const processorSeconds = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
};

/** Seconds that `work` took. */
export const seconds = (work: () => void): number => {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1e9;
};

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Median seconds of processor time of `runs` runs of `work`, each after `prepare`, which is not timed. */
export const medianSeconds = (runs: number, work: () => void, prepare: () => void = () => {}): number => {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    prepare();
    times.push(processorSeconds(work));
  }
  return median(times);
};

/** One figure of a benchmark: what, how much, and what it is held against. */
export const figure = (what: string, value: string, against = ""): void => {
  process.stdout.write(`  ${what.padEnd(58)} ${value.padStart(18)}  ${against}\n`);
};

export const heading = (title: string): void => {
  process.stdout.write(`${title} (${cpus()[0]?.model.trim() ?? "unknown CPU"}, Node ${process.version})\n`);
};

export const millions = (perSecond: number): string => `${(perSecond / 1e6).toFixed(1)} M/s`;
export const gigabytes = (bytesPerSecond: number): string => `${(bytesPerSecond / 1e9).toFixed(1)} GB/s`;
