import { VM } from "../../linux/virtio-mem/driver.ts";
import type { Machine } from "../../machine/machine.ts";

/**
 * Retry timers take tens of seconds: they expire when nobody has anything else to do.
 *
 * @param first number of the first device's timer among actors @returns numbers in the list, `from` of them there before
 */
export const listTimers = ({ kernel }: Machine, list: Int32Array, from: number, first: number): number => {
  let count = from;
  const { virtioMem } = kernel;
  for (let device = 0; device < virtioMem.length; device++)
    if (virtioMem[device]!.words[VM.TIMER_MS] !== 0) list[count++] = (first + device) * 2;
  return count;
};
