import { describe, expect, it } from "vitest";
import { GIB, MIB } from "../units.ts";
import { HostActor, type HostConfig, type HostEvent } from "./host-actor.ts";

const CONFIG: HostConfig = {
  memory: [
    { start: 0, end: 2 * GIB, node: 0 },
    { start: 4 * GIB, end: 10 * GIB, node: 0 },
  ],
  convertible: [
    { start: MIB, end: 2 * GIB },
    { start: 4 * GIB, end: 10 * GIB },
  ],
  policy: { kernel: "7.3", holes: "memory", hotplugCheck: "notifier", dynamicPamt: false },
  processors: 4,
  packages: 2,
  blockSize: 128 * MIB,
  maxTdmrs: 64,
  maxReserved: 16,
  keyIds: { first: 32, end: 64 },
  readsEarly: true,
  secureWindows: [],
  extensions: null,
  refused: [],
};
const start = (config: Partial<HostConfig> = {}) => {
  const events: HostEvent[] = [];
  const actor = new HostActor({ ...CONFIG, ...config }, (event) => events.push(event));
  return { actor, events };
};

describe("the host as an actor", () => {
  it("tells of SEAMCALLs, log lines and writes, equal ones at once", () => {
    const { actor, events } = start();
    expect(actor.enable()).toBe(0);
    expect(events.filter(({ what }) => what === "TDH.SYS.TDMR.INIT").map(({ count }) => count)).toEqual([
      512, 1536,
    ]);
    expect(events.filter(({ actor: who }) => who === "host-log").length).toBe(4);
    events.length = 0;
    expect(actor.hotAdd({ start: 64 * GIB, end: 65 * GIB, node: 1 })).toBe(0);
    expect(actor.online(512, 519)).toBe(-1);
    expect(actor.detailOf(-1)).toBe("write error: Operation not permitted");
    expect(events.map(({ what, status, count }) => [what, status, count])).toEqual([
      ["add memory", "SUCCESS", 1],
      ["echo 1 > memoryN/online", "-EPERM", 8],
    ]);
    expect(actor.facts()).toMatchObject({ refused: 8, messages: 0, offline: 8, devdax: GIB });
  });
  it("counts runs of equal writes apart", () => {
    const { actor, events } = start();
    actor.hotAdd({ start: 64 * GIB, end: 64 * GIB + 256 * MIB, node: 1 });
    expect(actor.online(511, 514)).toBe(-2);
    expect(events.slice(1).map(({ status, count }) => [status, count])).toEqual([
      ["-ENOENT", 1],
      ["SUCCESS", 2],
      ["-ENOENT", 1],
    ]);
    expect(actor.facts()).toMatchObject({ online: 2, refused: 2 });
  });
  it("does not try again once TDX failed, and is content once it is up", () => {
    const failed = start({ maxTdmrs: 1 }).actor;
    expect([failed.enable(), failed.enable()]).toEqual([-28, -22]);
    const { actor } = start();
    expect([actor.enable(), actor.enable()]).toEqual([0, 0]);
  });
  it("lets the call fail that it is told to, by its number", () => {
    const extensions = {
      pages: 2048,
      from: "contiguous",
      flush: false,
      mustFlush: true,
      interruptEvery: 0,
    } as const;
    const { actor } = start({ extensions });
    expect(actor.enable()).toBe(0);
    expect(actor.facts()).toMatchObject({ poolPages: 2048, poolGiven: 2048, corrupted: 2048 });
    const flushed = start({ extensions: { ...extensions, flush: true } }).actor;
    flushed.enable();
    expect(flushed.facts().corrupted).toBe(0);
  });
});
