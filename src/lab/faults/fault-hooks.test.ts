import { expect, it } from "vitest";
import { FAULT_CALLS, OWN_ANSWER } from "../../machine/faults/fault-calls.ts";
import { FaultPoints, type FaultRule } from "../../machine/faults/fault-points.ts";
import { NO_REPLY } from "../../vmm/virtio-mem-device.ts";
import { LabError } from "../lab-error.ts";
import { FaultHooks } from "./fault-hooks.ts";

/** Nobody calls anything. */
const STANDING = { back: async () => {}, again: () => {}, unhook: async () => {} };
const NO_TYPES = (): never => {
  throw new Error("nobody asks for types here");
};

/** Which functions are hooked for faults of these calls, and how often. */
const hookedFor = async (
  calls: readonly string[],
  functions: readonly string[],
  change: Partial<FaultRule> = {},
): Promise<string[]> => {
  const hooked: bigint[] = [];
  const rules = calls.map((name) => ({
    ...{ call: FAULT_CALLS.findIndex((each) => each.name === name), device: -1, start: 0, end: 1 },
    ...{ first: 1, times: 1, rate: 0, answer: OWN_ANSWER, lateNs: 0, after: 0, ...change },
  }));
  const hooks = new FaultHooks({
    control: { ...STANDING, hook: async (address) => void hooked.push(address) },
    plan: { seed: 1, rules },
    injector: { at: () => 0, acpi: () => OWN_ANSWER, points: new FaultPoints({ seed: 1, rules }) },
    onNoReply: () => {},
    nameOf: () => undefined,
    mirror: { struck: () => undefined, unpluggedNext: 0 },
    types: NO_TYPES,
    sync: async () => {},
  });
  const symbol = (name: string): bigint | undefined => {
    const index = functions.indexOf(name);
    return index < 0 ? undefined : BigInt(index);
  };
  await hooks.install("kernel", symbol);
  if (hooks.needsDriver) await hooks.install("virtio_mem driver", symbol);
  return hooked.map((address) => functions[Number(address)]!);
};

it("only the functions that faults speak of are hooked", async () => {
  const functions = ["arch_add_memory", "memory_notify", "virtio_mem_send_request"];
  expect(await hookedFor(["TDG.MEM.PAGE.ACCEPT", "arch_add_memory"], functions)).toEqual(["arch_add_memory"]);
});

it("all requests of virtio-mem are met at one place, once", async () => {
  const calls = ["virtio-mem PLUG", "virtio-mem UNPLUG", "virtio-mem STATE"];
  expect(await hookedFor(calls, ["virtio_mem_send_request"])).toEqual(["virtio_mem_send_request"]);
});

it("two events of one chain of notifiers are each met there", async () => {
  expect(await hookedFor(["MEM_GOING_ONLINE", "MEM_GOING_OFFLINE"], ["memory_notify"])).toHaveLength(2);
});

it("of two names of a function the one that the kernel has is taken", async () => {
  for (const name of ["alloc_contig_range_noprof", "alloc_contig_range"])
    expect(await hookedFor(["alloc_contig_range"], [name])).toEqual([name]);
});

it("msleep() is needed for late answers that a thread waits for, and for those that never come", async () => {
  const late = { lateNs: 5e6 };
  const lost = { answer: NO_REPLY };
  for (const [name, change] of [
    ["arch_add_memory", late],
    ["virtio-mem PLUG", lost],
  ] as const) {
    const functions = [name === "arch_add_memory" ? name : "virtio_mem_send_request"];
    await expect(hookedFor([name], functions, change)).rejects.toThrow(
      "expected a function msleep in the kernel",
    );
    expect(await hookedFor([name], [...functions, "msleep"], change)).toEqual(functions);
  }
  expect(await hookedFor(["TDG.MEM.PAGE.ACCEPT"], [], late)).toEqual([]);
});

it("a kernel that lacks the function is refused, and the line names both", async () => {
  const refused = hookedFor(["register_memory_resource"], ["arch_add_memory"]);
  await expect(refused).rejects.toThrow(LabError);
  await expect(refused).rejects.toThrow(
    "fault of register_memory_resource: expected a function register_memory_resource in the kernel to stop at, found none",
  );
});
