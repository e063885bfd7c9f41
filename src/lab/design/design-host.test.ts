import { expect, it } from "vitest";
import { tide } from "../../designs/tide/tide.ts";
import type { Procedure } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../../linux/kernel.ts";
import { loadScenario } from "../../scenario/load.ts";
import { machineConfigOf } from "../../scenario/model/model-config.ts";
import { GIB, MIB } from "../../units.ts";
import { TrustDomain } from "../td/trust-domain.ts";
import { DesignHost } from "./design-host.ts";

const config = machineConfigOf(
  loadScenario("{name: host, title: host, machine: {memory: 1G}, steps: [boot]}", {
    file: "host.yaml",
    designs: ["none"],
    readBytes: () => new Uint8Array(),
  }),
);

/** A hook that calls what a platform has: (start, size). */
const calling = (name: string, what: (k: Kernel) => Procedure<Kernel>): Procedure<Kernel> => {
  const { v, at, define } = KERNEL_PROCEDURES.declare(name, {
    args: ["start", "size"],
    locals: [],
    steps: ["enter", "done"],
  });
  return define({
    enter: (k, f) => f.call(what(k), at.done, f.get(v.start), f.get(v.size)),
    done: (_k, f) => f.returns(f.result),
  });
};
const hide = calling("test hide", (k) => k.platform.hide);
const show = calling("test show", (k) => k.platform.show);

it("what a design takes out of the direct map is kept in mind until it is put back", () => {
  const host = new DesignHost(new TrustDomain(config), tide, undefined, () => {});
  expect(host.run(hide, 0, 4 * GIB, 8 * MIB)).toBe(0);
  expect(host.run(show, 0, 4 * GIB + 2 * MIB, 2 * MIB)).toBe(0);
  expect(host.hidden.ranges).toEqual([
    { start: 4 * GIB, end: 4 * GIB + 2 * MIB },
    { start: 4 * GIB + 4 * MIB, end: 4 * GIB + 8 * MIB },
  ]);
});
