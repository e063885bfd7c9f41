import { HOST_WORD, hostTask, TdxHost } from "../src/tdx-host/host-kernel.ts";
import { enableTdx, enableTdxNow } from "../src/tdx-host/init-module.ts";
import type { MemoryRange } from "../src/tdx-host/memory-range.ts";
import { TdxModule } from "../src/tdx-module/module.ts";
import { figure, heading, median, medianSeconds, processorSeconds } from "./stopwatch.ts";

const GIB = 2 ** 30;
const TIB = 2 ** 40;
const MIB = 2 ** 20;
const milliseconds = (time: number): string => `${(time * 1000).toFixed(2)} ms`;

/** `count` ranges that add up to `bytes`, a hole of 64 MiB behind each, over `nodes` nodes; the first ends below 2 GiB. */
const rangesOf = (bytes: number, count: number, nodes: number): MemoryRange[] => {
  const low = { start: MIB, end: 2 * GIB - 128 * MIB, node: 0 };
  const each = Math.floor((bytes - 2 * GIB) / (count - 1) / GIB) * GIB;
  return [
    low,
    ...Array.from({ length: count - 1 }, (_, i) => ({
      start: 4 * GIB + i * each,
      end: 4 * GIB + (i + 1) * each - 64 * MIB,
      node: Math.floor((i * nodes) / (count - 1)),
    })),
  ];
};

const hostOf = (memory: readonly MemoryRange[], extensionPages: number): TdxHost => {
  const module = new TdxModule({
    sys: {
      cmrs: memory.map(({ start, end }) => ({ base: BigInt(start), size: BigInt(end - start) })),
      logicalProcessors: 256,
      packages: 2,
      extensionPages,
    },
    features: ["NO_RBP_MOD", "EXT", "QUOTE"],
  });
  const host = new TdxHost({ memory, module, addOnFeatures: extensionPages > 0 ? 1n << 50n : 0n });
  host.words[HOST_WORD.CALLS_PER_STEP] = 2 ** 20;
  return host;
};

heading("a TDX host: every SEAMCALL of the initialisation through registers, one core");
// Four nodes: with two, the metadata of 16 TDMRs and a hole are more reserved areas than one TDMR takes.
const large = rangesOf(6 * TIB, 31, 4);
let host = hostOf(large, 0);
const bringUp = medianSeconds(
  9,
  () => {
    if (enableTdxNow(host) !== 0) throw new Error(host.log.dmesg().join("\n"));
  },
  () => {
    host = hostOf(large, 0);
  },
);
figure("6 TiB, 31 convertible ranges", milliseconds(bringUp), "goal: 50 ms");
figure("SEAMCALLs on the way", String(host.words[HOST_WORD.SEAMCALLS]));

/** Seconds that the steps of TDH.EXT.MEM.ADD take of a whole initialisation. */
const addPages = (): number => {
  const small = hostOf(rangesOf(64 * GIB, 3, 1), 12_800);
  const task = hostTask();
  task.start(enableTdx);
  while (!task.where.startsWith("init_tdx_module_extensions:fill-list")) task.step(small);
  const time = processorSeconds(() => {
    while (small.pool?.isComplete !== true) task.step(small);
  });
  if (small.pool?.given !== 12_800) throw new Error("the pool is complete");
  return time;
};
figure(
  "TDH.EXT.MEM.ADD of 12,800 pages, 25 lists",
  milliseconds(median(Array.from({ length: 9 }, addPages))),
  "goal: 5 ms",
);
