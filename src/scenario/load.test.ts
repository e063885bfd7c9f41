import { expect, it } from "vitest";
import { around, load, refusal, SRAT_BYTES } from "./testing/load-text.ts";

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
      place: { file: "s.yaml", line: 2, column: 1 },
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
      moduleBusy: "again",
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
      interrupt: false,
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
