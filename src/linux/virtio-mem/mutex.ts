import { BLOCKED, type Frame, type Next } from "../../flat/procedure.ts";
import type { Kernel } from "../kernel.ts";
import { virtioMemMutex } from "../locks.ts";

/** The device's hotplug mutex: goes on at `then` once this task has it, BLOCKED before. */
export const takeMutex = (k: Kernel, f: Frame<Kernel>, device: number, then: Next): Next =>
  k.locks.tryTake(virtioMemMutex(device), f.task) ? then : BLOCKED;

export const dropMutex = (k: Kernel, f: Frame<Kernel>, device: number): void =>
  k.locks.release(virtioMemMutex(device), f.task);
