import type { Design } from "../../linux/design.ts";
import { acceptMemory } from "../../linux/unaccepted-memory.ts";
import { addMemory, ejectGuard, memoryAdded, removeMemory } from "./core.ts";
import {
  virtioPlug,
  virtioPlugged,
  virtioUnplug,
  virtioUnplugAll,
  virtioUnplugAllAnswered,
  virtioUnplugAnswered,
} from "./virtio.ts";

/**
 * This project's own: the goals of RFC v2 under rules that keep every invariant.
 *
 * 1. A plugged bit follows the VMM's word: an acknowledged sub-block, a present DIMM. Memory that no bit stands for
 *    is not plugged and not added.
 * 2. What is not plugged is not in the direct map, so it needs no guard and no accept.
 * 3. Memory that appears above memory in use has its first unit accepted before it is mapped.
 * 4. Memory leaves in this order: unused, out of the direct map, given back in hardware, its bits set, the VMM asked, its
 *    plugged bits cleared. Meanwhile no accept takes it as a guard.
 * 5. Only what is accepted is given back: chunks that still wait unaccepted are taken out of use as they are.
 * 6. A TD without PAGE_RELEASE gives memory back by converting it to shared and to private again.
 *
 * A platform that reaches memory by its mapping, as SEV-SNP does with PVALIDATE, gets one for the time of the call: rules 3 and 4
 * want memory accepted before it is in the direct map, and given back after it has left it.
 *
 * @missing memory of drivers other than virtio-mem
 */
export const tide: Design = {
  name: "tide",
  title: "Tidemark's own: lazy, by sub-blocks, releases only what was accepted, keeps every guard",
  tableVersion: 2,
  stubScansSrat: true,
  isolatesUnaccepted: true,
  reachesUnmapped: true,
  ejectGuard,
  hooks: {
    addMemory,
    addMemoryFailed: removeMemory,
    altmapAdd: acceptMemory,
    memoryAdded,
    memoryRemoved: removeMemory,
    virtioPlug,
    virtioPlugged,
    virtioUnplug,
    virtioUnplugAnswered,
    virtioUnplugAll,
    virtioUnplugAllAnswered,
    fakeOnlineContiguous: acceptMemory,
  },
};
