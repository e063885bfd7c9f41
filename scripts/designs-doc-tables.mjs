// What docs/designs.md says in tables, made from what `tidemark compare --json` answers. Pure: text and documents in,
// text out.

export const DESIGNS_PATH = "docs/designs.md";

const POLICIES = [
  ["keeps, PAGE_RELEASE", ["vmm.discard=shared-only", "vmm.pageRelease=true"]],
  ["discards, PAGE_RELEASE", ["vmm.discard=both", "vmm.pageRelease=true"]],
  ["keeps, without", ["vmm.discard=shared-only", "vmm.pageRelease=false"]],
  ["discards, without", ["vmm.discard=both", "vmm.pageRelease=false"]],
];
const DEVICES = [
  ["DIMM", "dimm-memory"],
  ["virtio-mem", "virtio-mem-memory"],
];
const KEXEC = [
  ["device empty", "kexec/device-empty"],
  ["half plugged", "linux-kexec/virtio-mem-half"],
  ["all plugged", "kexec/device-full"],
  ["DIMM", "kexec/dimm-again"],
  ["kdump, half plugged", "kexec/kdump-device"],
  ["kdump, offline DIMM", "kexec/kdump-dimm"],
];
const COST_SCENARIO = "virtio-mem-replug";

const claim = (design, by, text, scenario, shown, set = []) => ({
  design,
  by,
  claim: text,
  scenario,
  set,
  shown,
});

const YES = "reproduced";
const NO = "contradicted";

/** What authors and reviewers say of the designs, and where to see it. */
export const CLAIMS = [
  claim(
    "notifier",
    "its author",
    "a hot-added DIMM is accepted before it is used",
    "notifier-one-block",
    YES,
  ),
  claim(
    "notifier",
    "its review",
    "sub-blocks that were never plugged are accepted with their block",
    "notifier-sub-blocks",
    YES,
  ),
  claim(
    "notifier",
    "its review",
    "testing bit 63 alone hides a second accept, and old content passes for zeroes",
    "notifier-stale",
    YES,
  ),
  claim("notifier-strict", "its review", "a second accept is an error", "notifier-strict-reonline", YES),
  claim(
    "callbacks",
    "its author",
    "virtio-mem memory comes, goes and comes back on a VMM that keeps private pages",
    "callbacks-replug",
    YES,
  ),
  claim(
    "callbacks",
    "its author",
    "an accept that fails after the plug breaks the device and leaks the host's memory",
    "callbacks-accept-fails",
    YES,
  ),
  claim(
    "callbacks",
    "its author",
    "without PAGE_RELEASE the release succeeds and does nothing",
    "callbacks-broken",
    YES,
  ),
  claim(
    "callbacks",
    "its author",
    "on a start-shared VMM an accept converts implicitly, 4 KiB at a time",
    "implicit-conversion",
    YES,
  ),
  claim("callbacks", "its review", "ACPI memory is not covered", "dimm-memory", YES),
  claim(
    "callbacks",
    "its review",
    "nothing is lazy: what is plugged is accepted at once",
    "virtio-mem-memory",
    YES,
  ),
  claim(
    "callbacks",
    "this project",
    "UNPLUG_ALL after a kexec gives nothing back",
    "kexec/callbacks-leftover",
    YES,
  ),
  claim("bitmaps", "its author", "a DIMM is plugged, used, unplugged and plugged again", "dimm-replug", YES),
  claim(
    "bitmaps",
    "its author",
    "so is memory of a virtio-mem device, lazily, while little is used",
    "virtio-mem-replug",
    YES,
  ),
  claim(
    "bitmaps",
    "its author",
    "the same when all of it is used, and RAM below it",
    "virtio-mem-memory",
    NO,
  ),
  claim("bitmaps", "its author", "so is memory of a virtio-mem device, eagerly", "virtio-mem-replug", NO, [
    "guest.accept=eager",
  ]),
  claim("bitmaps", "its author", "kexec works with hot-added memory", "kexec/device-full", YES),
  claim("bitmaps", "its author", "kdump works with hot-added memory", "kexec/kdump-dimm", YES),
  claim(
    "bitmaps",
    "its author",
    "that adding a block marks all of it plugged is redundant but harmless",
    "zeropad-stray-accept",
    NO,
  ),
  claim(
    "bitmaps",
    "its author",
    "a second kernel of another table version does not start",
    "kexec/v1-after-v2",
    YES,
  ),
  claim(
    "bitmaps",
    "its author",
    "memory that is free is never shared when it is unplugged",
    "hazards/H17-leaked-conversion",
    YES,
  ),
  claim(
    "bitmaps",
    "its review",
    "an SRAT range below a unit corrupts the bitmap",
    "bugs/B22-srat-entry-below-a-unit",
    YES,
  ),
  claim(
    "bitmaps",
    "its code",
    "without PAGE_RELEASE giving memory back does nothing and succeeds",
    "bugs/B19-replug-fails",
    YES,
  ),
  claim("bitmaps", "this project", "the worked example of the review of its hazards", "worked-example", YES),
  claim("shared", "its author", "start-shared works where the VMM backs shared memory", "shared-replug", YES),
  claim(
    "shared",
    "this project",
    "with PAGE_RELEASE the conversion back is refused",
    "shared-page-release",
    YES,
  ),
  claim(
    "snp-hotplug",
    "its author",
    "a hot-added DIMM is accepted at the end of add_memory()",
    "snp-hotplug-dimm",
    YES,
  ),
  claim(
    "snp-hotplug",
    "its author",
    "on TDX the guest need not give back what leaves, since the VMM removes it",
    "snp-hotplug-replug",
    YES,
  ),
  claim(
    "snp-hotplug",
    "its author",
    "the same with a VMM that keeps private pages at an unplug",
    "snp-hotplug-kept-pages",
    NO,
  ),
  claim(
    "snp-hotplug",
    "this project",
    "with PAGE_RELEASE a DIMM never leaves its slot on TDX",
    "snp-hotplug-page-release",
    YES,
  ),
  claim(
    "snp-hotplug",
    "its review",
    "a VM below 4 GiB has no table, so nothing is accepted",
    "bugs/B24-no-table-below-4g",
    YES,
  ),
  claim(
    "snp-hotplug",
    "this project",
    "a memmap in the memory itself is written before the accept",
    "snp-hotplug-altmap",
    YES,
  ),
  claim(
    "snp-hotplug",
    "this project",
    "what an earlier kernel accepted is accepted again",
    "kexec/snp-hotplug-dimm-again",
    YES,
  ),
];

const ALL = [];

export const keyOf = ({ scenario, set, designs }) => [scenario, ...set, designs.join(",")].join(" ");

const compared = (scenario, set = [], designs = ALL) => ({ scenario, set, designs });

/** Every comparison that the document is made from. */
export const comparisons = () => [
  ...DEVICES.flatMap(([, scenario]) => POLICIES.map(([, set]) => compared(scenario, set))),
  ...KEXEC.map(([, scenario]) => compared(scenario)),
  compared(COST_SCENARIO),
  ...CLAIMS.map(({ scenario, set, design }) => compared(scenario, set, [design])),
];

/** One result in the words of a cell. */
const cellOf = ({ verdict, fate, violations, firstFailure }) => {
  if (verdict === "not modelled") return "not modelled";
  if (verdict === "held" && violations.length === 0 && fate.state === "running") return "held";
  const end = fate.state === "running" ? "" : fate.state;
  const broken = violations.join(" ");
  if (end !== "" || broken !== "") return [end, broken].filter((part) => part !== "").join(": ");
  return firstFailure === null ? verdict : "not met";
};

const table = (head, rows) =>
  [
    `| ${head.join(" | ")} |`,
    `|${" --- |".repeat(head.length)}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");

const verdicts = (result) => {
  const first = result(compared(DEVICES[0][1], POLICIES[0][1]));
  const rows = first.designs.flatMap(({ design }, index) =>
    DEVICES.map(([device, scenario], line) => [
      line === 0 ? `\`${design}\`` : "",
      device,
      ...POLICIES.map(([, set]) => cellOf(result(compared(scenario, set)).designs[index])),
    ]),
  );
  return table(["design", "device", ...POLICIES.map(([name]) => name)], rows);
};

const overKexec = (result) => {
  const first = result(compared(KEXEC[0][1]));
  const rows = first.designs.map(({ design }, index) => [
    `\`${design}\``,
    ...KEXEC.map(([, scenario]) => cellOf(result(compared(scenario)).designs[index])),
  ]);
  return table(["design", ...KEXEC.map(([name]) => name)], rows);
};

const time = (ns) => {
  if (ns === null) return "-";
  const ms = ns / 1e6;
  return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toPrecision(2)} ms`;
};

const costs = (result) => {
  const rows = result(compared(COST_SCENARIO)).designs.flatMap(({ design, verdict, cost }) => {
    if (cost === null || verdict === "not modelled") return [];
    if (cost.plugNs === null || cost.unplugNs === null) return [];
    const calls = (leaf) => cost.tdcalls[leaf] ?? 0;
    const counts = ["TDG.MEM.PAGE.ACCEPT", "TDG.MEM.PAGE.RELEASE", "TDG.VP.VMCALL"].map(calls);
    const times = [time(cost.plugNs), time(cost.unplugNs)];
    return [[`\`${design}\``, ...counts, cost.exits.accept ?? 0, ...times, `${cost.bitmapBytes} B`]];
  });
  return table(["design", "ACCEPT", "RELEASE", "TDVMCALL", "accept exits", "plug", "unplug", "table"], rows);
};

const claims = (result) =>
  table(
    ["design", "who says", "what", "scenario", "comes out", "so it is"],
    CLAIMS.map(({ design, by, claim: text, scenario, set, shown }) => {
      const run = [`\`${scenario.split("/").at(-1)}\``, ...set.map((value) => `\`${value}\``)].join(" ");
      return [
        `\`${design}\``,
        by,
        text,
        run,
        cellOf(result(compared(scenario, set, [design])).designs[0]),
        shown,
      ];
    }),
  );

const PARTS = { verdicts, kexec: overKexec, costs, claims };

/** Puts a part between its marks. Throws if the document has no such part. */
const replaced = (text, name, content) => {
  const [from, to] = [`<!-- made: ${name} -->\n`, "<!-- end -->"];
  const start = text.indexOf(from);
  const end = text.indexOf(to, start);
  if (start < 0 || end < 0) throw new Error(`${DESIGNS_PATH} has no part ${from.trim()}`);
  return `${text.slice(0, start)}${from}\n${content}\n\n${text.slice(end)}`;
};

export const designsDocument = (text, results) => {
  const result = (comparison) => {
    const found = results.get(keyOf(comparison));
    if (found === undefined) throw new Error(`nothing is known of ${keyOf(comparison)}`);
    return found;
  };
  return Object.entries(PARTS).reduce((all, [name, part]) => replaced(all, name, part(result)), text);
};
