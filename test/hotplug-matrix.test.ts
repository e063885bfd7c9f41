import { expect, it } from "vitest";
import { load, playInModel } from "./model-machine.ts";

/** Memory grows, is used, shrinks to nothing, grows again and is used again. */
const replug = (device: "dimm" | "virtio-mem"): string => {
  const grow = device === "dimm" ? "plug: {dimm: d0, size: 256M}" : "resize: {device: vm0, to: 256M}";
  const shrink = device === "dimm" ? "unplug: {dimm: d0}" : "resize: {device: vm0, to: 0}";
  return `
name: replug
machine:
  memory: 3G
  maxmem: 8G
  slots: 1
  virtioMem: [{id: vm0, size: 1G}]
guest: {kernel: 7.3, accept: lazy, design: bitmaps, autoOnline: online_movable}
steps:
  - boot
  - ${grow}
  - allocate: {name: first, size: 64M}
  - free: {name: first}
  - ${shrink}
  - wait: {for: idle, timeout: 10m}
  - ${grow}
  - allocate: {name: second, size: 64M}
`;
};

interface Row {
  readonly design: string;
  readonly device: "dimm" | "virtio-mem";
  readonly discard: string;
  readonly pageRelease: boolean;
  /** State of the machine at the end. */
  readonly fate: string;
  /** Invariants that were broken, by number. */
  readonly broken: string;
}

/** Rows of one design: device, what the VMM discards (`*`: whatever it does), PAGE_RELEASE, fate, invariants broken. */
const rows = (design: string, table: string): Row[] =>
  table
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [device, discards, release, fate = "", ...broken] = line.trim().split(/\s+/);
      const each = discards === "*" ? ["none", "shared-only", "both"] : [discards ?? ""];
      return each.map((discard) => ({
        design,
        device: device === "dimm" ? ("dimm" as const) : ("virtio-mem" as const),
        discard,
        pageRelease: release === "release",
        fate,
        broken: broken.join(" "),
      }));
    });

const ROWS: readonly Row[] = [
  // Upstream never accepts hot-added memory: the buddy lists hold it unaccepted, and its first touch kills the TD
  // whatever the VMM does.
  ...rows(
    "none",
    `
    dimm        *            release    killed    I1 I10 I21
    virtio-mem  *            release    killed    I1 I10 I21
    virtio-mem  *            no-release killed    I1 I10 I21
    `,
  ),
  // The notifier accepts a block when it goes online, and the block above it is mapped by then: a DIMM at once, the
  // next block of a device before it goes online itself (I10). It never releases: with PAGE_RELEASE the VMM cannot
  // take anything back, so an ejected DIMM stays, and a device whose VMM discards private pages answers BUSY for ever;
  // every unplug and every eject comes too early (I32). Where the VMM keeps the pages the second accept finds them accepted
  // (I3): the lenient notifier goes on with what they hold, the strict one leaves the memory offline.
  ...["notifier", "notifier-strict"].flatMap((design) =>
    rows(
      design,
      `
      dimm        *            release    running   I10 I32
      dimm        *            no-release running   I10
      virtio-mem  none         release    running   I3 I10 I32
      virtio-mem  shared-only  release    running   I3 I10 I32
      virtio-mem  both         release    running   I10 I32
      virtio-mem  none         no-release running   I3 I10
      virtio-mem  shared-only  no-release running   I3 I10
      virtio-mem  both         no-release running   I10
      `,
    ),
  ),
  // RFC v1 knows virtio-mem only. There it accepts a block before it is mapped, and releases the highest block
  // while it is still mapped above one in use (I10). Without PAGE_RELEASE it releases nothing; where the VMM keeps the
  // pages the accept after the next plug fails (I3), the device is broken and the plugged memory is lost (I34); where
  // it discards them they vanish from above the block in use.
  ...rows(
    "callbacks",
    `
    dimm        *            release    killed    I1 I10 I21
    virtio-mem  *            release    running   I10
    virtio-mem  none         no-release running   I3 I34
    virtio-mem  shared-only  no-release running   I3 I34
    virtio-mem  both         no-release running   I10
    `,
  ),
  // The table alone: the guard of boot memory's last unit lies in the window, where nothing is plugged (I2, I11); the VMM
  // has memory there for a device's region, and none for a DIMM that has not come. Nothing is ever released (I32). What
  // comes back counts as accepted, which it is only where the VMM kept the pages.
  ...rows(
    "window",
    `
    dimm        *            release    killed    I2 I11
    dimm        *            no-release killed    I2 I11
    virtio-mem  *            release    running   I2 I11 I32
    virtio-mem  none         no-release running   I2 I11
    virtio-mem  shared-only  no-release running   I2 I11
    virtio-mem  both         no-release killed    I1 I2 I8 I10 I11 I21
    `,
  ),
  // The same by firmware's word instead of the SRAT's.
  ...rows(
    "uhp",
    `
    dimm        *            release    killed    I2 I11
    dimm        *            no-release killed    I2 I11
    virtio-mem  *            release    running   I2 I11 I32
    virtio-mem  none         no-release running   I2 I11
    virtio-mem  shared-only  no-release running   I2 I11
    virtio-mem  both         no-release killed    I1 I2 I8 I10 I11 I21
    `,
  ),
  // RFC v2 lives with every VMM as long as the TD can release. Without PAGE_RELEASE it marks memory unaccepted that
  // hardware still has accepted (I6); where the VMM then keeps the private pages, the second accept finds them
  // accepted (I3) and Linux panics. A DIMM's private pages vanish with it, so there it does not come to that.
  ...rows(
    "bitmaps",
    `
    dimm        *            release    running
    dimm        *            no-release running   I6
    virtio-mem  *            release    running
    virtio-mem  none         no-release panicked  I3 I6
    virtio-mem  shared-only  no-release panicked  I3 I6
    virtio-mem  both         no-release running   I6
    `,
  ),
  // Start-shared knows virtio-mem only, and this VMM starts private: converting to private what is private changes
  // nothing. Blocks are mapped before they are converted, chunk after chunk (I10). At unplug the conversion to shared
  // makes the VMM remove the private pages, so nothing is accepted twice; but a TD with PAGE_RELEASE would have to
  // release them first. There the conversion fails, the driver converts back and accepts what is accepted (I3), the
  // pages are lost and the device is broken.
  ...rows(
    "shared",
    `
    dimm        *            release    killed    I1 I10 I21
    virtio-mem  *            release    running   I3 I10
    virtio-mem  *            no-release running   I10
    `,
  ),
  // The SNP series accepts a DIMM before any page of it is used, and a block of a device after the one below it is in use
  // (I10). On TDX it gives nothing back, by intent: with PAGE_RELEASE a DIMM cannot leave, and a device's memory only
  // where the VMM keeps the pages; it is asked to take both too early (I32). What the VMM kept is accepted twice, which panics (I3).
  ...rows(
    "snp-hotplug",
    `
    dimm        *            release    running   I32
    dimm        *            no-release running
    virtio-mem  none         release    panicked  I3 I10 I32
    virtio-mem  shared-only  release    panicked  I3 I10 I32
    virtio-mem  both         release    running   I10 I32
    virtio-mem  none         no-release panicked  I3 I10
    virtio-mem  shared-only  no-release panicked  I3 I10
    virtio-mem  both         no-release running   I10
    `,
  ),
  // Ours lives with all of them.
  ...rows(
    "tide",
    `
    dimm        *            release    running
    dimm        *            no-release running
    virtio-mem  *            release    running
    virtio-mem  *            no-release running
    `,
  ),
];

it.each(ROWS)(
  "$device under $design, discard $discard, PAGE_RELEASE $pageRelease: $fate, broken: $broken",
  async ({ device, design, discard, pageRelease, fate, broken }) => {
    const scenario = load(replug(device), [
      `guest.design=${design}`,
      `vmm.discard=${discard}`,
      `vmm.pageRelease=${pageRelease}`,
    ]);
    const { report } = await playInModel(scenario);
    const ids = [...new Set(report.violations.map(({ invariant }) => invariant))];
    const inOrder = ids.sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))).join(" ");
    expect({ fate: report.fate.state, broken: inOrder }).toEqual({ fate, broken });
  },
);

it("a second accept of a page that the VMM kept panics the way Linux says it", async () => {
  const scenario = load(replug("virtio-mem"), ["vmm.discard=shared-only", "vmm.pageRelease=false"]);
  const { report } = await playInModel(scenario);
  expect(report.fate.why).toContain("TDX: Failed to accept memory");
  expect(report.dmesg.join("\n")).toContain("Kernel panic - not syncing: TDX: Failed to accept memory");
});

/** What the machine of the matrix is like otherwise: settings over its own, and by how much it grows. */
const MACHINES: { readonly [name: string]: { readonly dimm: boolean; readonly set: readonly string[] } } = {
  "a DIMM": { dimm: true, set: [] },
  "a DIMM with its memmap in itself": { dimm: true, set: ["guest.memmapOnMemory=true"] },
  "sub-blocks": { dimm: false, set: [] },
  "a part of the sub-blocks, the rest not backed": {
    dimm: false,
    set: ["steps[1].resize.to=134M", "steps[6].resize.to=250M", "vmm.unpluggedAccess=kill"],
  },
  "big blocks": { dimm: false, set: ["machine.virtioMem.vm0.blockSize=128M"] },
};

const TIDE_ROWS = Object.entries(MACHINES).flatMap(([name, { dimm, set }]) =>
  ["none", "shared-only", "both"].flatMap((discard) =>
    [true, false].flatMap((pageRelease) =>
      ["lazy", "eager"].map((accept) => ({ name, dimm, set, discard, pageRelease, accept })),
    ),
  ),
);

it.each(TIDE_ROWS)(
  "tide holds with $name, discard $discard, PAGE_RELEASE $pageRelease, $accept",
  async ({ dimm, set, discard, pageRelease, accept }) => {
    const scenario = load(replug(dimm ? "dimm" : "virtio-mem"), [
      "guest.design=tide",
      `guest.accept=${accept}`,
      `vmm.discard=${discard}`,
      `vmm.pageRelease=${pageRelease}`,
      ...set,
    ]);
    const { report } = await playInModel(scenario);
    expect(report.violations).toEqual([]);
    expect([report.verdict, report.fate.state]).toEqual(["held", "running"]);
    // It came back: the window starts at 5 GiB.
    const there = report.map.after.runs.filter(({ start }) => start >= 5 * 2 ** 30);
    expect(there.some(({ use }) => use === "allocated")).toBe(true);
  },
);
