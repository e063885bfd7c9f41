import { describe, expect, it } from "vitest";
import { loadScenario } from "./load.ts";
import type { Scenario } from "./scenario.ts";

const FILES: Readonly<Record<string, string>> = {
  "host.log": [
    "BIOS-e820: [mem 0x0000000000100000-0x000000003fffffff] usable",
    "virt/tdx: BIOS enabled: private KeyID range [64, 128)",
    "virt/tdx: CMR: [0x100000, 0x20000000)",
    "virt/tdx: CMR: [0x20000000, 0x40000000)",
  ].join("\n"),
  "bad.log": "virt/tdx: CMR: [0x2000, 0x1000)",
  "dump.txt":
    "0x9000000100000000: 0x1\n0x9000000300000080: 0x100000\n0x9000000300000100: 0x3ff00000\n0x9100000100000009: 0x8\n",
  "bad.txt": "0x9100000100000008: 0x0\n",
};

const load = (host: string, rest = "steps: [{host: enable}]"): Scenario =>
  loadScenario(`name: x\nmachine:\n  memory: 512M\n  host: ${host}\n${rest}\n`, {
    file: "s.yaml",
    designs: ["none"],
    readBytes: (path) => {
      const text = FILES[path];
      if (text === undefined) throw new Error(`no such file: ${path}`);
      return new TextEncoder().encode(text);
    },
  });
const said = (host: string, rest?: string): string => {
  try {
    load(host, rest);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
};

describe("machine.host", () => {
  it("takes RAM, convertible ranges and key ids from a kernel log", () => {
    const { host } = load("{log: host.log}").machine;
    expect(host?.memory).toEqual([{ start: 0x10_0000, end: 0x4000_0000, node: 0 }]);
    expect(host?.convertible.map(({ start, end }) => [start, end])).toEqual([
      [0x10_0000, 0x2000_0000],
      [0x2000_0000, 0x4000_0000],
    ]);
    expect(host?.keyIds).toEqual({ first: 64, end: 128 });
  });
  it("takes convertible ranges and limits from a dump of metadata", () => {
    const { host } = load("{memory: [{at: 1M, size: 1023M}], metadata: dump.txt}").machine;
    expect(host?.convertible.map(({ start, end }) => [start, end])).toEqual([[0x10_0000, 0x4000_0000]]);
    expect([host?.maxTdmrs, host?.maxReserved]).toEqual([64, 8]);
  });
  it("makes RAM from 1 MiB on convertible if nothing says otherwise", () => {
    const { host } = load("{memory: [{at: 0, size: 1G}]}").machine;
    expect(host?.convertible.map(({ start, end }) => [start, end])).toEqual([[0x10_0000, 2 ** 30]]);
  });
  it.each([
    [
      "{log: bad.log}",
      "machine.host.log: expected a host that does not contradict itself, found bad.log:1: convertible memory range: expected an end above the start, found [0x2000, 0x1000)",
    ],
    [
      "{log: none.log}",
      "machine.host.log: expected a readable file, found no such file: none.log; give a path relative to the scenario file",
    ],
    ["{metadata: bad.txt}", "found bad.txt:1: MAX_TDMRS: expected at least 1, found 0"],
    [
      "{memory: [{at: 1G, size: 1G}, {at: 0, size: 1G}]}",
      "machine.host.memory[1]: expected a start behind [0x40000000, 0x80000000) of machine.host.memory[0], found [0x0, 0x40000000)",
    ],
    [
      "{memory: [{at: 0, size: 1G}], convertible: [{at: 1M, size: 2M}, {at: 2M, size: 2M}]}",
      "expected no overlap with [0x100000, 0x300000)",
    ],
    [
      "{memory: [{at: 0, size: 4G}], secureWindows: [{at: 2G, size: 4G}]}",
      "machine.host.secureWindows[0]: expected no overlap with RAM [0x0, 0x100000000), found [0x80000000, 0x180000000)",
    ],
    [
      `{memory: [${Array.from({ length: 33 }, (_, i) => `{at: ${2 * i + 1}G, size: 1G}`).join(", ")}]}`,
      "machine.host.convertible: expected the convertible ranges, at most 32, as the RAM above 1 MiB is in 33 pieces, found none",
    ],
    [
      "{}",
      "machine.host.memory: expected RAM, found none; give `memory`, or a `log` that has the firmware's memory map",
    ],
    [
      "{memory: [{at: 0, size: 1G}], processors: 3}",
      "machine.host.processors: expected a multiple of 2 packages, found 3",
    ],
    [
      "{memory: [{at: 0, size: 1G}], firstKeyId: 64}",
      "machine.host.firstKeyId: expected a key id below 64, found 64",
    ],
    [
      "{memory: [{at: 0, size: 1G}], refused: [{call: TDH.SYS.INIT, at: 1, status: BUSY}]}",
      "expected a status such as OPERAND_BUSY",
    ],
  ])("%s is refused", (host, message) => {
    expect(said(host)).toContain(message);
  });
  it("is needed by a host step, which is no step of a running guest", () => {
    expect(said("null")).toContain(
      "steps[0]: expected a machine with `machine.host`, found a `host` step; describe it",
    );
    const host = "{memory: [{at: 0, size: 1G}]}";
    expect(said(host, "steps: [boot, {parallel: [{host: enable}]}]")).toContain(
      "expected steps of a running machine",
    );
    expect(said(host, "steps: [{host: {}}]")).toContain(
      "expected exactly one of `hotAdd`, `online` and `privateMemory`",
    );
  });
});
