import { expect, it } from "vitest";
import { Stalls } from "./stalls.ts";

/** A watch over two vCPUs that counts from the start. */
const watch = () => {
  const log: string[] = [];
  const clocks = new Float64Array(2);
  const stalls = new Stalls({ scheduler: { clocks }, printk: (text) => log.push(text) }, 2);
  stalls.begin();
  return { stalls, clocks, log };
};

it("the longest stretch of each kind counts, whichever vCPU it is of", () => {
  const { stalls, clocks } = watch();
  stalls.irqsOff(0);
  clocks[0] = 300;
  stalls.irqsOn(0, true);
  stalls.irqsOff(1);
  clocks[1] = 200;
  stalls.irqsOn(1, true);
  stalls.spins(1);
  clocks[1] = 950;
  stalls.spun(1);
  expect(stalls.waits).toEqual({ irqsOffNs: 300, spinNs: 750 });
});

it("a vCPU that tries once more has spun since its first try", () => {
  const { stalls, clocks } = watch();
  stalls.spins(0);
  clocks[0] = 100;
  stalls.spins(0);
  clocks[0] = 250;
  stalls.spun(0);
  stalls.spun(0);
  expect(stalls.waits.spinNs).toBe(250);
});

it("nothing counts before the kernel lets interrupts in", () => {
  const { stalls, clocks } = watch();
  stalls.restart();
  stalls.irqsOff(0);
  clocks[0] = 1e9;
  stalls.irqsOn(0, false);
  expect(stalls.waits).toEqual({ irqsOffNs: 0, spinNs: 0 });
});

it("the watchdog speaks after more than 20 seconds, unless it was touched", () => {
  const { stalls, clocks, log } = watch();
  const stretch = (ns: number, touched: boolean): void => {
    stalls.irqsOff(1);
    clocks[1] = clocks[1]! + ns;
    stalls.irqsOn(1, touched);
  };
  stretch(25.7e9, true);
  stretch(20e9, false);
  expect(log).toEqual([]);
  stretch(25.7e9, false);
  expect(log).toEqual(["watchdog: BUG: soft lockup - CPU#1 stuck for 25s!"]);
});

it("a vCPU that spun for long is reported whether or not anybody touches the watchdog", () => {
  const { stalls, clocks, log } = watch();
  stalls.spins(0);
  clocks[0] = 21e9;
  stalls.spun(0);
  expect(log).toEqual(["watchdog: BUG: soft lockup - CPU#0 stuck for 21s!"]);
});
