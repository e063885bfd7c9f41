import type { Deed, MachineConfiguration, Program } from "./configuration.ts";

const resize = (to: number): Deed => ({ do: "resize", to });
const operator = (...deeds: readonly Deed[]): Program => ({ by: "operator", deeds, when: "at rest" });
const user = (vcpu: number, ...deeds: readonly Deed[]): Program => ({
  by: { user: vcpu },
  deeds,
  when: "any time",
});
const plug = (slot: number): Deed => ({ do: "plug", slot });
const unplug = (slot: number): Deed => ({ do: "unplug", slot });
const heap: Deed = { do: "allocate", units: 1, as: "heap" };
const ring: Deed = { do: "allocate", units: 1, as: "ring", pinned: true };
/** Pinned memory comes from the boot memory below the device. */
const pinned = { do: "allocate", units: 2, as: "kernel", pinned: true } as const;

/** Two units of boot memory, a virtio-mem device of two units behind them, two vCPUs; nobody does anything yet. */
export const SMALLEST: Omit<MachineConfiguration, "name" | "design"> = {
  vcpus: 2,
  staticUnits: 2,
  blockUnits: 2,
  device: { kind: "virtio-mem", units: 2 },
  accept: "lazy",
  memmapOnMemory: false,
  pageRelease: true,
  discard: "both",
  unplugged: "allocate",
  aug: "fault",
  revert: [],
  before: [],
  programs: [],
  fault: null,
  rules: [],
};

type Differences = Partial<MachineConfiguration>;

const replug = [operator(resize(2), resize(0), resize(2)), user(1, heap)];
const DIMM: Differences = {
  device: { kind: "dimm", units: 2 },
  programs: [operator({ do: "plug" }, { do: "unplug" }, { do: "plug" }), user(1, heap)],
};

const KEXEC: Differences = {
  before: [resize(2), heap, { do: "kexec" }],
  programs: [operator(resize(1), resize(0)), user(1, heap)],
};
/** A driver's buffer lies in the device's memory: there is no room for it elsewhere. */
const CONVERT: Differences = {
  zone: "kernel",
  before: [{ do: "allocate", units: 2, as: "rest", pinned: true }, resize(2), ring],
  programs: [
    operator(resize(0)),
    user(1, { do: "share", as: "ring" }, { do: "unshare", as: "ring" }, { do: "free", as: "ring" }),
  ],
};
const BIG_BLOCKS: Differences = {
  bigBlocks: true,
  device: { kind: "virtio-mem", units: 4 },
  programs: [operator(resize(4), resize(2), resize(0)), user(1, heap)],
};
/** Of two plugged blocks the upper one stays offline, and nothing of it was ever accepted. */
const BELOW_OFFLINE: Differences = {
  device: { kind: "virtio-mem", units: 4 },
  zone: "none",
  before: [resize(4), { do: "online", block: 0 }],
  programs: [operator(resize(2), resize(4)), user(1, heap)],
};

/** Only a block of 128 MiB holds its own memmap: that is 2 MiB. */
const MEMMAP_FAILS: Differences = {
  ...{ blockUnits: 64, staticUnits: 64, device: { kind: "dimm", units: 64 }, memmapOnMemory: true },
  fault: { call: "arch_add_memory", answer: "-ENOMEM" },
  programs: [operator({ do: "plug" }, { do: "unplug" }, { do: "plug" })],
};

/** What each standard configuration is, by its name: how it differs from the smallest machine. */
const CONFIGURATIONS: Readonly<Record<string, Differences>> = {
  "grow-shrink": { programs: [operator(resize(1), resize(0)), user(1, heap)] },
  "sub-blocks": { programs: [operator(resize(1), resize(2), resize(1)), user(1, heap)] },
  "two-blocks": {
    device: { kind: "virtio-mem", units: 4 },
    programs: [operator(resize(2), resize(4)), user(1, heap)],
  },
  // One run of the driver empties a block and takes from the next.
  "shrink-two-blocks": {
    device: { kind: "virtio-mem", units: 4 },
    before: [resize(4)],
    programs: [operator(resize(1)), user(1, heap)],
  },
  replug: { programs: replug },
  "replug-eager": { accept: "eager", programs: replug },
  "replug-kept": { discard: "none", programs: replug },
  "replug-no-release": { pageRelease: false, programs: replug },
  "replug-no-release-kept": { pageRelease: false, discard: "none", programs: replug },
  "read-across": {
    programs: [
      operator(resize(2), resize(0)),
      user(1, pinned, { do: "read", across: 2 }, { do: "read", across: 2 }),
    ],
  },
  "unplug-busy": {
    fault: { call: "virtio-mem UNPLUG", answer: "BUSY" },
    programs: [operator(resize(2), resize(0)), user(1, heap)],
  },
  "unplug-busy-no-release": {
    pageRelease: false,
    fault: { call: "virtio-mem UNPLUG", answer: "BUSY" },
    programs: [operator(resize(2), resize(0)), user(1, heap)],
  },
  "release-fails": {
    fault: { call: "TDG.MEM.PAGE.RELEASE", answer: "OPERAND_BUSY", times: 2 },
    programs: [operator(resize(2), resize(0)), user(1, heap)],
  },
  "by-hand": {
    before: [resize(2)],
    programs: [operator({ do: "offline", block: 0 }, { do: "online", block: 0 }), user(1, heap)],
  },
  // The driver has to ask again: what is to go is free only once it has given up.
  "unplug-waits": {
    zone: "kernel",
    before: [{ do: "allocate", units: 2, as: "rest", pinned: true }, resize(2), ring],
    programs: [operator(resize(0)), { ...user(1, { do: "free", as: "ring" }), when: "at rest" }],
  },
  "plug-add-fails": {
    fault: { call: "arch_add_memory", answer: "-ENOMEM" },
    programs: [operator(resize(2), resize(0), resize(2))],
  },
  "plug-busy": {
    fault: { call: "virtio-mem PLUG", answer: "BUSY" },
    programs: [operator(resize(1), resize(0)), user(1, heap)],
  },
  "unplugged-kills": { unplugged: "kill", programs: [operator(resize(1), resize(2)), user(1, heap)] },
  "big-blocks": BIG_BLOCKS,
  "big-blocks-no-release": { ...BIG_BLOCKS, pageRelease: false },
  "big-blocks-busy": {
    bigBlocks: true,
    // Removing the block has the driver try once more at once.
    fault: { call: "virtio-mem UNPLUG", answer: "BUSY", times: 2 },
    programs: [operator(resize(2), resize(0), resize(2)), user(1, heap)],
  },
  convert: { ...CONVERT, pageRelease: false },
  "convert-refused": CONVERT,
  kexec: KEXEC,
  "kexec-kept": { ...KEXEC, discard: "none" },
  "kexec-no-release": { ...KEXEC, pageRelease: false },
  "kexec-dimm": {
    device: { kind: "dimm", units: 2 },
    before: [{ do: "plug" }, heap, { do: "kexec" }],
    programs: [operator({ do: "unplug" }, { do: "plug" }), user(1, heap)],
  },
  "kexec-dimm-as-ram": {
    device: { kind: "dimm", units: 2 },
    before: [{ do: "plug" }, heap, { do: "kexec", syscall: "kexec_load" }],
    programs: [operator({ do: "unplug" }, { do: "plug" }), user(1, heap)],
  },
  snp: { platform: "snp", programs: replug },
  "snp-dimm": { ...DIMM, platform: "snp" },
  "one-vcpu": { vcpus: 1, programs: [operator(resize(2), resize(0), resize(2)), user(0, heap)] },
  dimm: DIMM,
  "dimm-no-release": { ...DIMM, pageRelease: false },
  "dimm-add-fails": {
    ...DIMM,
    blockUnits: 4,
    staticUnits: 4,
    device: { kind: "dimm", units: 4 },
    fault: { call: "create_memory_block_devices", answer: "-ENOMEM" },
  },
  "dimm-refused": {
    ...DIMM,
    zone: "kernel",
    programs: [
      operator({ do: "plug" }, { do: "unplug" }, { do: "unplug" }),
      user(1, pinned, { do: "free", as: "kernel" }),
    ],
  },
  "dimm-memmap-fails": MEMMAP_FAILS,
  "dimm-memmap-fails-no-release": { ...MEMMAP_FAILS, pageRelease: false },
  "dimm-above-use": {
    ...DIMM,
    programs: [operator({ do: "plug" }, { do: "unplug" }, { do: "plug" }), user(1, pinned)],
  },
  // Two DIMMs come, or go, on their own: a scan of all slots meets events of both.
  "two-dimms": {
    ...DIMM,
    slots: 2,
    programs: [
      operator({ do: "plug" }, { do: "unplug" }),
      { by: "operator", deeds: [plug(1)], when: "any time" },
      user(1, heap),
    ],
  },
  "two-dimms-leave": {
    ...DIMM,
    slots: 2,
    before: [plug(0), plug(1)],
    programs: [operator(unplug(0)), { by: "operator", deeds: [unplug(1)], when: "any time" }, user(1, heap)],
  },
  "accepts-meet": {
    device: { kind: "virtio-mem", units: 4 },
    before: [resize(4)],
    programs: [user(0, heap), user(1, { do: "allocate", units: 1, as: "cache" })],
  },
  "accept-beside-unplug": {
    device: { kind: "virtio-mem", units: 4 },
    before: [resize(4)],
    programs: [operator(resize(2)), user(1, heap)],
  },
  "accept-below-offline": BELOW_OFFLINE,
  "accept-below-offline-no-release": { ...BELOW_OFFLINE, pageRelease: false },
  "moved-or-freed": {
    before: [resize(2), heap],
    programs: [operator(resize(0)), user(1, { do: "free", as: "heap" })],
  },
  // Two sub-blocks of a chunk and one of the next: the upper one of the two goes before the lower.
  "odd-half": {
    blockUnits: 4,
    staticUnits: 4,
    device: { kind: "virtio-mem", units: 4 },
    programs: [operator(resize(3), resize(0))],
  },
  // No table covers the device: nobody can tell what of it is accepted. A byte of a bitmap is eight units, all of boot memory here.
  "outside-table": {
    placement: "outside table",
    staticUnits: 8,
    programs: [operator(resize(2), resize(0)), user(1, heap)],
  },
  // The same, but the rest of the table's last byte lies over the device: bits that nobody has set.
  "table-end": {
    placement: "outside table",
    programs: [operator(resize(2), resize(0)), user(1, heap)],
  },
  "outside-table-dimm": { ...DIMM, placement: "outside table", staticUnits: 8 },
  "odd-region": {
    placement: "odd region",
    programs: [operator(resize(2), resize(0), resize(2)), user(1, heap)],
  },
  "kexec-odd-region": { ...KEXEC, placement: "odd region" },
  "three-vcpus": {
    vcpus: 3,
    programs: [
      operator(resize(2), resize(0)),
      user(1, heap),
      user(2, { do: "allocate", units: 1, as: "cache" }),
    ],
  },
};

/** Machines that no design is asked to survive: some known limit shows there. */
const BEYOND: Readonly<Record<string, Differences>> = {
  // At once as 2 MiB, and then as 4 KiB. The kernel answers with a panic.
  "accept-fails": {
    fault: { call: "TDG.MEM.PAGE.ACCEPT", answer: "OPERAND_BUSY", times: 2 },
    programs: [operator(resize(2), resize(0))],
  },
  // The decompressor of the kernel that is started looks at no plugged bits. It is no part of a design.
  "kexec-srat-over-ram": { ...KEXEC, placement: "SRAT over RAM" },
};

export const CONFIGURATION_NAMES: readonly string[] = Object.keys(CONFIGURATIONS);

/** A standard configuration of a design, or one beyond them; undefined if there is none of that name. */
export const standardConfiguration = (name: string, design: string): MachineConfiguration | undefined => {
  const differences = CONFIGURATIONS[name] ?? BEYOND[name];
  return differences === undefined ? undefined : { ...SMALLEST, ...differences, name, design };
};
