import { describe, expect, it } from "vitest";
import { DESIGNS } from "../../designs/designs.ts";
import type { Design } from "../../linux/design.ts";
import { loadScenario } from "../../scenario/load.ts";
import { machineConfigOf } from "../../scenario/model/model-config.ts";
import { CpuControl } from "../cpu/cpu-control.ts";
import { LabError } from "../lab-error.ts";
import { TrustDomain } from "../td/trust-domain.ts";
import { scriptedStub } from "../testing/gdb-stub-for-test.ts";
import { withServer } from "../testing/server-for-test.ts";
import { GdbClient } from "../wire/gdb-client.ts";
import { DesignHooks } from "./design-hooks.ts";
import { DesignHost } from "./design-host.ts";

const config = machineConfigOf(
  loadScenario("{name: hooks, machine: {memory: 1G}, steps: [boot]}", {
    file: "hooks.yaml",
    designs: ["none"],
    readBytes: () => new Uint8Array(),
  }),
);

/** Where a design's breakpoints are put in a kernel that has every function. */
const hooked = async (design: Design): Promise<string[]> => {
  const asked: string[] = [];
  const { serve } = scriptedStub((request) => (request.startsWith("Z") ? "OK" : undefined));
  await withServer(serve, async (path) => {
    const gdb = await GdbClient.connect(path);
    const hooks = new DesignHooks({
      control: new CpuControl(gdb),
      host: new DesignHost(new TrustDomain(config), design, undefined, () => {}),
      blockBytes: 2 ** 27,
      afterHook: async () => {},
      regionOf: () => ({ start: 0, size: 0 }),
      sync: async () => {},
    });
    const symbol = (name: string): bigint => BigInt(asked.push(name));
    await hooks.installInKernel(symbol);
    if (hooks.needsDriver) await hooks.installInDriver(symbol);
    gdb.close();
  });
  return asked;
};

/** Designs that have a hook where a real kernel has no function to stop at. */
const MODEL_ONLY = ["shared"];

describe("a design's hooks in a real kernel", () => {
  it.each(
    DESIGNS.filter(({ name }) => !MODEL_ONLY.includes(name)).map((design) => [design.name, design] as const),
  )("%s: every hook has its function", async (_name, design) => {
    const places = await hooked(design);
    expect(places.length > 0).toBe(Object.keys(design.hooks).length > 0);
  });

  it("a design with a hook that has none is refused as a whole", async () => {
    const shared = DESIGNS.find(({ name }) => name === "shared")!;
    await expect(hooked(shared)).rejects.toThrow(LabError);
    await expect(hooked(shared)).rejects.toThrow(
      "design shared: expected a function of the kernel for its hook virtioOnline, found none",
    );
  });
});
