import { expect, it } from "vitest";
import { LinuxWorld } from "../src/lab/world/linux-world.ts";
import { play } from "../src/scenario/player.ts";
import { LAB_NEEDS, LAB_READY } from "./linux-lab.ts";
import { load } from "./model-machine.ts";

// Firmware keeps 256 MiB; the kernel accepts the other 384 units, whoever serves it.
const EAGER = `
name: trapped
machine: {memory: 1G, firmware: {unaccepted: all}}
guest: {kernel: 6.12, accept: eager}
steps: [boot]
expect: {machine: running, Unaccepted: 0, dmesg: {contains: 'tdx: Guest detected'}}
`;

it.skipIf(!LAB_READY)(
  `a kernel whose text is left alone is served by breakpoints, and does the same${LAB_NEEDS}`,
  { timeout: 1_800_000 },
  async () => {
    const { report } = await play(load(EAGER), new LinuxWorld({ trap: "breakpoints" }), { version: "test" });
    const unmet = report.expectations
      .filter(({ held }) => !held)
      .map(({ what, found }) => `${what}: ${found}`);
    expect({ verdict: report.verdict, unmet }).toEqual({ verdict: "held", unmet: [] });
    // Some units more or fewer lie under the kernel, the initramfs and what firmware left.
    expect(report.cost.tdcalls["TDG.MEM.PAGE.ACCEPT"]).toBeGreaterThan(2 * 300);
    expect(report.dmesg.join("\n")).toContain("idle=poll");
  },
);
