import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { sharedData } from "../../../test/shared-data.ts";
import { MMOP } from "../memory-block.ts";
import { run } from "../testing/fake-kernel.ts";
import { addMemory } from "./add-memory.ts";
import {
  autoOnlineText,
  blockSizeText,
  onlineTypeOf,
  readBlockFile,
  storeAutoOnline,
} from "./block-sysfs.ts";
import { addBootBlocks } from "./boot-blocks.ts";
import { mhpFlags } from "./mhp-flags.ts";
import { hotplugKernel } from "./testing/hotplug-kernel.ts";

const GIB = 2 ** 30;
const path = sharedData("proc", "rec-virtiomem-2node.after-shrink.memory-blocks.txt");

it.skipIf(path === undefined)("shows the blocks of a recorded two-node guest (skipped without it)", () => {
  const { k } = hotplugKernel({ top: 32 * GIB, nodes: 2, ram: [{ start: 2 ** 27, end: 2 * GIB, node: 0 }] });
  // Block 0 of the recording holds DMA and DMA32; here it is added as one of two zones.
  k.zones.present[0] = 4000;
  k.zones.spannedEnd[0] = 4096;
  k.zones.spannedStart[1] = 4096;
  addBootBlocks(k, [{ start: 0, end: 2 ** 27, node: 0 }]);
  k.blocks.autoOnline = MMOP.ONLINE;
  run(k, addMemory, 0, 4 * GIB, 2 ** 27, mhpFlags(k, 0));
  run(k, addMemory, 1, 12 * GIB, GIB, mhpFlags(k, 0));
  const lines = k.blocks.present().map((block) => {
    const file = (name: "phys_index" | "state" | "valid_zones") => readBlockFile(k, block, name)!.trimEnd();
    return `memory${block} phys_index=${file("phys_index")} state=${file("state")} zones=${file("valid_zones")}`;
  });
  const header = `block_size_bytes 0x${blockSizeText(k).trimEnd()}`;
  expect([header, ...lines]).toEqual(readFileSync(path!, "utf8").trimEnd().split("\n"));
});

it("takes the four words of auto_online_blocks and no other", () => {
  const { k } = hotplugKernel({ top: 8 * GIB });
  expect(autoOnlineText(k)).toBe("offline\n");
  expect(["offline", "online\n", "online_kernel", "online_movable"].map(onlineTypeOf)).toEqual([0, 1, 2, 3]);
  expect(["", "Online", "online ", "\n", "offline\n\n"].map((word) => storeAutoOnline(k, word))).toEqual(
    Array(5).fill(-22),
  );
  expect([storeAutoOnline(k, "online_movable\n"), autoOnlineText(k)]).toEqual([0, "online_movable\n"]);
});
