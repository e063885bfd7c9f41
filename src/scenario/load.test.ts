import { describe, expect, it } from "vitest";
import { sratTable } from "../abi/acpi/srat.ts";
import { loadScenario } from "./load.ts";
import type { Scenario } from "./scenario.ts";
import { ScenarioError } from "./scenario-error.ts";

const DESIGNS = ["none", "bitmaps"];
/** A table without entries: 48 bytes. */
const SRAT_BYTES = sratTable([]);

const load = (text: string, overrides: readonly string[] = []): Scenario =>
  loadScenario(text, {
    file: "s.yaml",
    designs: DESIGNS,
    overrides: overrides.map((assignment) => ({ assignment, option: `--set ${assignment}` })),
    readBytes: (path) => {
      if (path === "srat.dat") return SRAT_BYTES;
      if (path === "cut.dat") return SRAT_BYTES.slice(0, -1);
      throw new Error(`no such file: ${path}`);
    },
  });

const refusal = (text: string, overrides: readonly string[] = []): string => {
  try {
    load(text, overrides);
  } catch (error) {
    if (error instanceof ScenarioError) return error.message;
    throw error;
  }
  return "loaded";
};

/** A scenario around the lines of interest. */
const around = (machine: string, steps = "  - boot"): string =>
  `name: s\nmachine:\n  memory: 4G\n${machine}steps:\n${steps}\n`;

it("fills in every default", () => {
  const scenario = load("name: tiny\nmachine: {memory: 2G}\nsteps: [boot]\n");
  expect(scenario).toEqual({
    file: "s.yaml",
    name: "tiny",
    title: "",
    about: "",
    machine: {
      memory: 2 ** 31,
      vcpus: 2,
      nodes: 1,
      layout: "q35",
      slots: 0,
      maxmem: 2 ** 31,
      virtioMem: [],
      dimms: [],
      firmware: { srat: { kind: "generated" }, unaccepted: "above-4g", efiMemoryMap: [], poolAddress: null },
      host: null,
    },
    guest: {
      kernel: "7.3",
      revert: [],
      accept: "lazy",
      design: "none",
      designOptions: {},
      deferredInit: true,
      memmapOnMemory: false,
      autoOnline: "online",
      reserveMem: null,
    },
    vmm: {
      augSize: 2 ** 21,
      aug: "fault",
      discard: "shared-only",
      pageRelease: true,
      start: "private",
      unpluggedAccess: "allocate",
      sharedMiss: "exit",
      implicitConversion: true,
      pscEntries: null,
    },
    platform: "tdx",
    seed: 1,
    faults: [],
    swarm: null,
    steps: [{ kind: "boot", place: { file: "s.yaml", line: 3, column: 9 } }],
    expect: [],
    mustBreak: [],
  });
});

it("leaves just enough room for what the steps plug", () => {
  const plugs =
    "  - boot\n  - plug: {dimm: a, size: 1G}\n  - unplug: {dimm: a}\n  - plug: {dimm: a, size: 2G}\n";
  const { machine } = load(
    around("  virtioMem: [{id: vm0, size: 8G}]\n", `${plugs}  - plug: {dimm: b, size: 1G}`),
  );
  expect([machine.maxmem, machine.slots]).toEqual([(4 + 8 + 2 + 1) * 2 ** 30, 2]);
});

it("reads every step", () => {
  const steps = `
  - boot
  - plug: {dimm: d0, size: 1G, slot: 3}
  - resize: {device: vm0, to: 6M}
  - allocate: {name: a, size: 8M, order: 9, movable: false, vcpu: 1}
  - touch: {name: a, kind: read}
  - touch: {gpa: 0x180000000, size: 4K}
  - read: {across: 0x180200000}
  - pressure: {leave: 64M}
  - free: {name: a}
  - online: {block: 48, kind: online_movable}
  - offline: {block: '48-49'}
  - wait: idle
  - wait: 50s
  - wait: {for: {MemFree: '>= 1G'}, timeout: 5m}
  - parallel: [{unplug: {dimm: d0}}, {resize: {device: vm0, to: 0}}]
  - note: half way
  - expect: {Unaccepted: 0}
  - reset
  - kexec
  - crash: {}
`;
  const { steps: read } = load(around("  virtioMem: [{id: vm0, size: 1G}]\n", steps));
  const bare = JSON.parse(
    JSON.stringify(read, (key, value: unknown) => (key === "place" ? undefined : value)),
  ) as unknown[];
  expect(bare).toEqual([
    { kind: "boot" },
    { kind: "plug", dimm: "d0", size: 2 ** 30, slot: 3, node: 0, addr: null },
    { kind: "resize", device: "vm0", to: 6 * 2 ** 20 },
    {
      kind: "allocate",
      name: "a",
      size: 2 ** 23,
      order: 9,
      movable: false,
      trylock: false,
      node: null,
      vcpu: 1,
    },
    { kind: "touch", target: { kind: "name", name: "a" }, size: null, access: "read", vcpu: 0 },
    { kind: "touch", target: { kind: "gpa", gpa: 0x180000000 }, size: 4096, access: "write", vcpu: 0 },
    { kind: "read", across: 0x180200000, vcpu: 0 },
    { kind: "pressure", leave: 2 ** 26, vcpu: 0 },
    { kind: "free", name: "a", vcpu: 0 },
    { kind: "online", blocks: { first: 48, last: 48 }, as: "online_movable" },
    { kind: "offline", blocks: { first: 48, last: 49 } },
    { kind: "wait", for: { kind: "idle" }, timeoutNs: 600e9 },
    { kind: "wait", for: { kind: "time", ns: 50e9 }, timeoutNs: 600e9 },
    {
      kind: "wait",
      for: {
        kind: "condition",
        expectations: [
          {
            kind: "counter",
            name: "MemFree",
            test: { operator: ">=", value: 2 ** 30, high: 2 ** 30, inBytes: true, text: ">= 1G" },
          },
        ],
      },
      timeoutNs: 300e9,
    },
    {
      kind: "parallel",
      actions: [
        { kind: "unplug", dimm: "d0" },
        { kind: "resize", device: "vm0", to: 0 },
      ],
    },
    { kind: "note", text: "half way" },
    {
      kind: "expect",
      expectations: [
        {
          kind: "counter",
          name: "Unaccepted",
          test: { operator: "=", value: 0, high: 0, inBytes: false, text: "0" },
        },
      ],
    },
    { kind: "reset" },
    {
      kind: "kexec",
      kernel: null,
      revert: null,
      design: null,
      image: "bzImage",
      syscall: "kexec_file_load",
    },
    { kind: "crash" },
  ]);
  expect(read.map(({ place }) => place.line)).toEqual(Array.from({ length: 20 }, (_, i) => i + 7));
});

it("reads every expectation", () => {
  const { expect: read } = load(`${around("  virtioMem: [{id: vm0, size: 1G}]\n")}expect:
  MemTotal: '3900M..4G'
  range: {at: 0x180000000, size: 4M, plugged: true, use: fake-offline, sept: PENDING, unacceptedBit: 1}
  bitmap: {physBase: 0x100000000, sizeBytes: 640, setBits: {unaccepted: '0-9, 10, 12', plugged: none}}
  dmesg: [{contains: a}, {matches: '^b'}, {absent: c}]
  iomem: {contains: System RAM}
  tdcalls: {TDG.MEM.PAGE.ACCEPT: '>= 12'}
  exits: 3
  virtualTime: '< 2s'
  blocks: {size: 128M, online: 32, offline: 0, states: [{block: '0-31', state: online}]}
  device: {id: vm0, plugged: 6M, requested: '>= 6M', blockStates: {48: KERNEL_PARTIAL}}
  machine: running
  status: -EBUSY
  broken: [I1, I10]
`);
  expect(read.map(({ kind, place }) => `${place.line} ${kind}`)).toEqual(
    [
      "8 counter",
      "9 range",
      "10 bitmap",
      "11 dmesg",
      "11 dmesg",
      "11 dmesg",
      "12 iomem",
      "15 virtual-time",
      "13 tdcalls",
      "14 exits",
      "16 block-size",
      "16 block-count",
      "16 block-count",
      "16 block-state",
      "17 device",
      "18 machine",
      "19 status",
      "20 broken",
      "20 broken",
    ].toSorted((a, b) => order(a) - order(b)),
  );
  expect(read.find(({ kind }) => kind === "bitmap")).toMatchObject({
    facts: {
      unaccepted: [
        { first: 0, count: 11 },
        { first: 12, count: 1 },
      ],
      plugged: [],
    },
  });
});

const KIND_ORDER = ["counter", "range", "bitmap", "dmesg", "iomem", "tdcalls", "exits", "virtual-time"];
const order = (row: string): number => {
  const index = KIND_ORDER.indexOf(row.split(" ")[1] ?? "");
  return index < 0 ? KIND_ORDER.length : index;
};

describe("a mistake is named with its place, what was expected, what was found and what to do", () => {
  const cases: readonly (readonly [name: string, text: string, message: string])[] = [
    ["an empty file", "", "1:1: expected a scenario, found an empty file; see docs/scenarios.md"],
    ["a list", "- 1\n", "1:1: expected a map, found a list of 1"],
    [
      "a mistyped key",
      around("  memroy: 1G\n"),
      "4:3: machine: expected a key known here, found `memroy`; did you mean `memory`?",
    ],
    [
      "a mistyped key rather than the one missing for it",
      "name: s\nmachine:\n  vcpus: 2\n  memroy: 4G\nsteps: [boot]\n",
      "4:3: machine: expected a key known here, found `memroy`; did you mean `memory`?",
    ],
    [
      "a key that would change the map itself",
      around("  __proto__: {}\n"),
      '4:3: machine: expected a key of plain text, found "__proto__"',
    ],
    [
      "a key that would keep the map from being compared",
      "name: s\ntitle: {length: {toString: x}}\nmachine: {memory: 4G}\nsteps: [boot]\n",
      '2:18: title.length: expected a key of plain text, found "toString"',
    ],
    [
      "nesting without end",
      `name: ${"[".repeat(70)}${"]".repeat(70)}\n`,
      "1:71: expected at most 64 levels of nesting, found more; close the brackets or write the list flat",
    ],
    [
      "a missing key",
      "name: s\nmachine:\n  vcpus: 2\nsteps: [boot]\n",
      "3:3: machine.memory: expected a size such as 512M, 4G or 0x100000000, found nothing; add it",
    ],
    [
      "a size without sense",
      around("  maxmem: lots\n"),
      '4:11: machine.maxmem: expected a size such as 512M, 4G or 0x100000000, found "lots"; up to 4P, in whole bytes',
    ],
    [
      "a size off its grain",
      around("  maxmem: 5000001K\n"),
      '4:11: machine.maxmem: expected a multiple of 2M, found "5000001K"; nearest are 4882M and 4884M',
    ],
    [
      "a number out of range",
      around("  vcpus: 0\n"),
      "4:10: machine.vcpus: expected a whole number from 1 to 512, found 0",
    ],
    [
      "YAML 1.1 truth",
      `${around("")}vmm: {pageRelease: on}\n`,
      '6:20: vmm.pageRelease: expected true or false, found "on"; write true',
    ],
    [
      "an unknown design",
      `${around("")}guest: {design: bitmap}\n`,
      '6:17: guest.design: expected a design, found "bitmap"; did you mean `bitmaps`?',
    ],
    [
      "an unknown kernel",
      `${around("")}guest: {kernel: 7.2}\n`,
      "6:17: guest.kernel: expected 6.12 or 7.3, found 7.2",
    ],
    [
      "an unknown step",
      around("", "  - bot"),
      '5:5: steps[0]: expected a step: one key that says what to do, found "bot"; did you mean `boot`?',
    ],
    [
      "two keys in one step",
      around("", "  - boot\n  - note: a\n    reset:"),
      "6:5: steps[1]: expected exactly one key in each step, found a map with reset, note; write one step per list entry",
    ],
    [
      "a step before boot",
      around("", "  - pressure: {leave: 1G}"),
      "5:5: steps[0]: expected `boot` before it, found `pressure`; put `- boot` first",
    ],
    [
      "a second boot",
      around("", "  - boot\n  - boot"),
      "6:5: steps[1]: expected one `boot`, found another; use `reset` to start again",
    ],
    [
      "a DIMM never plugged",
      around("", "  - boot\n  - unplug: {dimm: a}"),
      '6:20: steps[1].unplug.dimm: expected a DIMM that was plugged, found "a"',
    ],
    [
      "a DIMM plugged twice",
      around("", "  - boot\n  - plug: {dimm: a, size: 1G}\n  - plug: {dimm: a, size: 1G}"),
      "7:18: steps[2].plug.dimm: expected a new name, found `a` again; unplug it first",
    ],
    [
      "a device there is not",
      around("  virtioMem: [{id: vm0, size: 1G}]\n", "  - boot\n  - resize: {device: vm1, to: 0}"),
      '7:22: steps[1].resize.device: expected a virtio-mem device, found "vm1"; did you mean `vm0`?',
    ],
    [
      "a device grown too far",
      around("  virtioMem: [{id: vm0, size: 1G}]\n", "  - boot\n  - resize: {device: vm0, to: 2G}"),
      "7:31: steps[1].resize.to: expected at most the size of vm0 (1G), found 2G; ask for less or enlarge the device",
    ],
    [
      "a vCPU there is not",
      around("", "  - boot\n  - pressure: {leave: 1G, vcpu: 2}"),
      "6:33: steps[1].pressure.vcpu: expected a vCPU below 2, found 2; raise machine.vcpus",
    ],
    [
      "memory never allocated",
      around("", "  - boot\n  - free: {name: a}"),
      '6:18: steps[1].free.name: expected an allocation, found "a"',
    ],
    [
      "a mistyped counter",
      `${around("")}expect: {Unacepted: 0}\n`,
      "6:10: expect: expected a key known here, found `Unacepted`; did you mean `Unaccepted`?",
    ],
    [
      "a mistyped counter of a change",
      `${around("")}expect: {change: {Unacepted: 0}}\n`,
      "6:19: expect.change: expected a key known here, found `Unacepted`; did you mean `Unaccepted`?",
    ],
    [
      "a test without sense",
      `${around("")}expect: {Unaccepted: '>> 0'}\n`,
      "6:22: expect.Unaccepted: expected a number or a test such as 0, '>= 3900M' or '1M..4M', found \">> 0\"",
    ],
    [
      "a bad regular expression",
      `${around("")}expect: {dmesg: {matches: '('}}\n`,
      '6:17: expect.dmesg: expected a regular expression, found "("',
    ],
    [
      "bits in disorder",
      `${around("")}expect: {bitmap: {setBits: {plugged: '4-7, 2'}}}\n`,
      "6:38: expect.bitmap.setBits.plugged: expected bits such as '0-1023, 1026' or none, found \"4-7, 2\"; ascending, without overlap",
    ],
    [
      "an unknown invariant",
      `${around("")}invariants: {broken: [I99]}\n`,
      '6:23: invariants.broken[0]: expected an invariant, I1 to I44, found "I99"; did you mean `I9`?',
    ],
    [
      "layout that is not memory",
      around("  layout: [{at: 0, size: 2G}]\n"),
      "4:11: machine.layout: expected ranges that add up to memory (4G), found 2G",
    ],
    [
      "ranges that overlap",
      around("  layout: [{at: 0, size: 2G}, {at: 1G, size: 2G}]\n"),
      "4:31: machine.layout[1]: expected RAM above 0x0-0x7fffffff, found 0x40000000-0xbfffffff; sort the ranges by address",
    ],
    [
      "maxmem that is too small",
      around("  maxmem: 4G\n  virtioMem: [{id: vm0, size: 1G}]\n"),
      "4:11: machine.maxmem: expected at least 5G, for memory and its devices, found 4G; raise it or leave it out",
    ],
    [
      "a SRAT that is not there",
      around("  firmware: {srat: {file: no.dat}}\n"),
      "4:27: machine.firmware.srat.file: expected a readable file, found no such file: no.dat; give a path relative to the scenario file",
    ],
    [
      "a SRAT that is cut short",
      around("  firmware: {srat: {file: cut.dat}}\n"),
      "4:27: machine.firmware.srat.file: expected 48 bytes or more at byte 0 of the SRAT \"cut.dat\", found 47; to play a broken table give its bytes as {hex: '...'}",
    ],
    [
      "a key twice",
      "name: s\nname: s\n",
      "2:1: expected YAML, found a mistake (Map keys must be unique); write the key once",
    ],
    [
      "a tab",
      around("\tvcpus: 1\n"),
      "4:1: expected YAML, found a mistake (Tabs are not allowed as indentation); indent with spaces",
    ],
    [
      "a tag",
      "name: !!python/object x\n",
      "1:7: expected YAML, found a mistake (Unresolved tag: tag:yaml.org,2002:python/object); remove the tag",
    ],
    [
      "two documents",
      "name: s\n---\nname: t\n",
      "2:1: expected YAML, found a mistake (a second document); keep one document per file",
    ],
    [
      "a number too big to be exact",
      around("  maxmem: 99999999999999999999\n"),
      "4:11: machine.maxmem: expected an integer below 2^53, found 99999999999999999999",
    ],
  ];
  it.each(cases)("%s", (_name, text, message) => {
    expect(refusal(text)).toBe(`s.yaml:${message}`);
  });
});

it("reads a SRAT from a file and from digits", () => {
  const file = load(around("  firmware: {srat: {file: srat.dat}}\n")).machine.firmware.srat;
  expect(file).toEqual({ kind: "bytes", from: "srat.dat", bytes: SRAT_BYTES });
  const hex = load(around("  firmware: {srat: {hex: '53 52 4154'}}\n")).machine.firmware.srat;
  expect(hex).toEqual({ kind: "bytes", from: "hex", bytes: Uint8Array.of(0x53, 0x52, 0x41, 0x54) });
});

it("keeps the place of a value that an alias repeats", () => {
  const text = around("  virtioMem: [{id: vm0, size: &size 1G}]\n  maxmem: *size\n");
  expect(refusal(text)).toBe(
    "s.yaml:4:37: machine.maxmem: expected at least 5G, for memory and its devices, found 1G; raise it or leave it out",
  );
});

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

describe("faults", () => {
  const withFaults = (faults: string): string =>
    `${around("  virtioMem: [{id: vm0, size: 1G}]\n")}faults: ${faults}\n`;
  const first = (faults: string) => {
    const { place: _place, ...fault } = load(withFaults(faults)).faults[0]!;
    return fault;
  };
  const plain = { at: 1, times: 1, answer: null, late: 0, after: null, range: null, optional: false };

  it("reads maps and sentences", () => {
    expect(first("[{call: vm0 PLUG, answer: BUSY}]")).toEqual({ ...plain, call: "vm0 PLUG", answer: "BUSY" });
    expect(first("[TDG.MEM.PAGE.ACCEPT at 7 (3 times) answers PAGE_SIZE_MISMATCH(level 1)]")).toEqual({
      ...{ ...plain, call: "TDG.MEM.PAGE.ACCEPT", at: 7, times: 3 },
      answer: "PAGE_SIZE_MISMATCH(level 1)",
    });
    expect(first("[virtio-mem UNPLUG at 2 is late by 5s]")).toEqual({
      ...{ ...plain, call: "virtio-mem UNPLUG", at: 2, late: 5e9 },
    });
    expect(first("[TDG.MEM.PAGE.ACCEPT at 7 is interrupted after 100]")).toEqual({
      ...{ ...plain, call: "TDG.MEM.PAGE.ACCEPT", at: 7, answer: "INTERRUPTED", after: 100 },
    });
    expect(load(withFaults("{swarm: true}")).swarm).toMatchObject({ calls: [] });
    expect(
      load(withFaults("{swarm: {calls: [alloc_pages]}, list: [{call: alloc_pages, late: 1us}]}")),
    ).toMatchObject({
      swarm: { calls: ["alloc_pages"] },
      faults: [{ call: "alloc_pages", late: 1000 }],
    });
  });

  it.each([
    [
      "[{call: TDG.MEM.PAGE.ACEPT, answer: OPERAND_BUSY}]",
      'faults[0].call: expected a call that can fail, found "TDG.MEM.PAGE.ACEPT"; did you mean `TDG.MEM.PAGE.ACCEPT`?',
    ],
    [
      "[{call: vm1 PLUG, answer: BUSY}]",
      'faults[0].call: expected a call that can fail, found "vm1 PLUG"; did you mean `vm0 PLUG`?',
    ],
    [
      "[{call: TDG.MEM.PAGE.ACCEPT, answer: EPT_ENTRY_FREE}]",
      'faults[0].answer: expected an answer that TDG.MEM.PAGE.ACCEPT can give, found "EPT_ENTRY_FREE"; use OPERAND_INVALID, OPERAND_BUSY, PAGE_ALREADY_ACCEPTED, PAGE_SIZE_MISMATCH or INTERRUPTED',
    ],
    [
      "[{call: virtio-mem UNPLUG, answer: NACK}]",
      'faults[0].answer: expected an answer that virtio-mem UNPLUG can give, found "NACK"; use BUSY, ERROR or NO_REPLY',
    ],
    [
      "[{call: TDG.VP.INFO, answer: OPERAND_BUSY}]",
      'faults[0].answer: expected an answer that TDG.VP.INFO can give, found "OPERAND_BUSY"; it can only be late',
    ],
    [
      "[{call: alloc_pages}]",
      "faults[0].call: expected an `answer` or `late` beside `call`, found neither; say what goes wrong",
    ],
    [
      "[{call: alloc_pages, answer: -ENOMEM, range: {at: 4G}}]",
      "faults[0].range: expected a range for a call about memory, found `alloc_pages`; remove it",
    ],
    [
      "[{call: alloc_pages, answer: -ENOMEM, after: 3}]",
      'faults[0].after: expected `after` beside the answer INTERRUPTED, found "-ENOMEM"; remove it',
    ],
    [
      "[TDG.MEM.PAGE.ACCEPT fails]",
      'faults[0]: expected a fault such as `TDG.MEM.PAGE.ACCEPT at 7 answers OPERAND_BUSY`, found "TDG.MEM.PAGE.ACCEPT fails"; see docs/scenarios.md for its forms',
    ],
    [
      "{swarm: {calls: [alloc_page]}}",
      'faults.swarm.calls[0]: expected a call that can fail, found "alloc_page"; did you mean `alloc_pages`?',
    ],
    ["{swarm: true, list: [{call: x, answer: y}]}", "faults.list[0].call: expected a call that can fail"],
  ])("refuses %s", (faults, message) => {
    expect(refusal(withFaults(faults))).toContain(message);
  });
});

it("the name of a DIMM whose plug is expected to fail is free again, and names nothing that could be unplugged", () => {
  const plug = "  - plug: {dimm: a, size: 1G}\n";
  const refused = `${plug}  - expect: {status: GenericError}\n`;
  expect(load(around("", `  - boot\n${refused}${plug}`)).steps).toHaveLength(4);
  expect(() => load(around("", `  - boot\n${refused}  - unplug: {dimm: a}`))).toThrow(
    'expected a DIMM that was plugged, found "a"',
  );
  expect(() => load(around("", `  - boot\n${plug}  - expect: {status: SUCCESS}\n${plug}`))).toThrow(
    "expected a new name, found `a` again",
  );
});
