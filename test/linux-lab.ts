import { onPath } from "../src/lab/kernel-package/host-programs.ts";
import { realKernels } from "../src/lab/testing/real-kernel.ts";

const PROGRAMS: readonly (readonly [program: string, name: string])[] = [
  ["qemu-system-x86_64", "QEMU"],
  ["qemu-img", "qemu-img"],
  ["busybox", "busybox"],
];

const missing = PROGRAMS.flatMap(([program, name]) =>
  onPath(program, process.env) === undefined ? [name] : [],
);
if (!realKernels().some(({ release }) => release.startsWith("6.12."))) missing.push("a 6.12 kernel");

/** Whether a stock 6.12 kernel can be run here. */
export const LAB_READY = missing.length === 0;
/** What a test that needs it has behind its name: which programs it lacks; nothing if it runs. */
export const LAB_NEEDS = LAB_READY ? "" : ` (skipped: no ${missing.join(", no ")}; npm run setup:lab)`;
