import { expect, it } from "vitest";
import { getBig, R9 } from "../../abi/tdx/regs.ts";
import { BLOCKED } from "../../flat/procedure.ts";
import { GIB } from "../../units.ts";
import { fakeKernel, newTask, run } from "../testing/fake-kernel.ts";
import { tdxEarlyInit } from "./tdx-setup.ts";

const NAMES: Readonly<Record<string, string>> = {
  "7:16": "RD CONFIG_FLAGS",
  "7:17": "RD TD_CTLS",
  "7:19": "RD TOPOLOGY",
  "8:10": "WR NOTIFY",
  "8:17": "WR TD_CTLS",
};

const boot = (
  variant: "6.12" | "7.3",
  fields: readonly (readonly [field: number, value: number])[],
  attributes = 0x1000_0000,
  refuse?: string,
) => {
  const fake = fakeKernel({ top: GIB, variant });
  for (const [field, value] of fields) fake.hw.fields.set(field, value);
  fake.hw.attributes = attributes;
  const name = (leaf: number, field: number, value: number) => {
    const call = NAMES[`${leaf}:${field.toString(16)}`] ?? (leaf === 1 ? "INFO" : `${leaf}`);
    return leaf === 8 ? `${call}=${value}` : call;
  };
  if (refuse !== undefined) {
    fake.hw.script = (call) => (name(call.leaf, call.field, call.value) === refuse ? 1 : undefined);
  }
  const f = newTask();
  f.start(tdxEarlyInit);
  while (!f.idle && f.step(fake.k) !== BLOCKED);
  return { ...fake, calls: fake.hw.calls.map((call) => name(call.leaf, call.field, call.value)) };
};

it("6.12 reads who it is, silences notifications and looks whether #VE is off", () => {
  const { calls, k } = boot("6.12", []);
  expect(calls).toEqual(["INFO", "WR NOTIFY=0", "RD CONFIG_FLAGS", "RD TD_CTLS"]);
  expect(k.cpus.configFlags).toBe(0x06);
});

it("turns #VE off where the module lets it", () => {
  expect(boot("6.12", [[0x17, 0]]).calls.at(-1)).toBe("WR TD_CTLS=1");
});

it("a debug TD keeps its #VE", () => {
  expect(boot("6.12", [[0x17, 0]], 0x1).calls.at(-1)).toBe("RD TD_CTLS");
});

it("7.3 asks for fewer #VE and is done when it gets them", () => {
  expect(boot("7.3", []).calls.slice(4)).toEqual(["WR TD_CTLS=8"]);
});

it("7.3 falls back to topology enumeration", () => {
  expect(boot("7.3", [], undefined, "WR TD_CTLS=8").calls.slice(4)).toEqual([
    "WR TD_CTLS=8",
    "RD TOPOLOGY",
    "WR TD_CTLS=2",
  ]);
});

it("7.3 complains when the topology is not configured, and goes on", () => {
  const { calls, log, k } = boot("7.3", [[0x19, 0]], undefined, "WR TD_CTLS=8");
  expect(calls.at(-1)).toBe("RD TOPOLOGY");
  expect(log).toEqual(["tdx: VMM did not configure X2APIC_IDs properly"]);
  expect(k.cpus.panicked).toBe(false);
});

it("a TD that can neither mask #VE nor was made without it stops", () => {
  const { k } = boot("6.12", [[0x16, 0]], 0);
  expect(k.cpus.panicMessage).toBe("TD misconfiguration: SEPT #VE has to be disabled");
});

it("a debug TD in that case only warns, and one made without #VE says nothing", () => {
  expect(boot("6.12", [[0x16, 0]], 1).log).toEqual(["tdx: TD misconfiguration: SEPT #VE has to be disabled"]);
  expect(boot("6.12", [[0x16, 0]], 0x1000_0000).log).toEqual([]);
});

it("a module that refuses VP.INFO is a panic", () => {
  expect(boot("7.3", [], undefined, "INFO").k.cpus.panicMessage).toBe("TDCALL 1 failed (Buggy TDX module!)");
});

it("a call that did not retire is done again with the same registers", () => {
  const { k, hw } = fakeKernel({ top: GIB });
  let interrupts = 0;
  hw.script = () => (interrupts++ % 2 === 0 ? -1 : undefined);
  expect(run(k, tdxEarlyInit)).toBe(0);
  const calls = hw.calls.map((call) => `${call.leaf}:${call.field}:${call.rcx}`);
  for (let n = 0; n < calls.length; n += 2) expect(calls[n]).toBe(calls[n + 1]);
  expect(calls.length).toBe(2 * 5);
});

it("writes NOTIFY_ENABLES with every bit of the mask set, and TD_CTLS with its own bit only", () => {
  const { k, hw } = fakeKernel({ top: GIB });
  const masks: string[] = [];
  hw.script = (call) => {
    if (call.leaf === 8) masks.push(`${call.field.toString(16)} ${getBig(hw.regs(0), R9).toString(16)}`);
    return undefined;
  };
  run(k, tdxEarlyInit);
  expect(masks).toEqual(["10 ffffffffffffffff", "17 8"]);
});
