import { describe, expect, it } from "vitest";
import { around, load, refusal } from "./testing/load-text.ts";

describe("--set goes over the scenario's own fields", () => {
  const text = around("  virtioMem: [{id: vm0, size: 1G}, {id: vm1, size: 2G}]\n");
  it("by key, by position and by id", () => {
    const { machine, guest } = load(text, [
      "machine.memory=8G",
      "machine.virtioMem[0].size=4G",
      "machine.virtioMem.vm1.requestedSize=6M",
      "guest.accept=eager",
    ]);
    expect([
      machine.memory,
      machine.virtioMem[0]!.size,
      machine.virtioMem[1]!.requestedSize,
      guest.accept,
    ]).toEqual([2 ** 33, 2 ** 32, 6 * 2 ** 20, "eager"]);
  });
  it("and a mistake in it is placed in the option", () => {
    expect([
      refusal(text, ["machine.memory=lots"]),
      refusal(text, ["machine.memroy=8G"]),
      refusal(text, ["machine.virtioMem.vm7.size=1G"]),
      refusal(text, ["machine.memory.x=1"]),
      refusal(text, ["machine.memory"]),
      refusal(text, ["machine.firmware={srat: {hex: zz}}"]),
      refusal(text, ["__proto__.polluted=1"]),
      refusal(text, ["title.length.toString="]),
    ]).toEqual([
      '--set machine.memory=lots:1:22: machine.memory: expected a size such as 512M, 4G or 0x100000000, found "lots"; up to 4P, in whole bytes',
      "--set machine.memroy=8G:1:22: machine: expected a key known here, found `memroy`; did you mean `memory`?",
      '--set machine.virtioMem.vm7.size=1G:1:7: machine.virtioMem: expected 0 to 2 or the id of an entry, found "vm7"',
      '--set machine.memory.x=1:1:7: machine.memory: expected a map or a list, to set a part of it, found "4G"',
      '--set machine.memory:1:7: expected path=value such as machine.memory=8G, found "machine.memory"',
      "--set machine.firmware={srat: {hex: zz}}:1:37: machine.firmware.srat.hex: expected pairs of hexadecimal digits, found something else",
      '--set __proto__.polluted=1:1:7: expected a path such as machine.memory, found "__proto__"',
      '--set title.length.toString=:1:7: title.length: expected a path such as machine.memory, found "toString"',
    ]);
  });
});
