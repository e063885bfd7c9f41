// What docs/designs.md says in tables, made from what `tidemark compare --json` answers. Pure: text and documents in,
// text out.

import { CLAIMS } from "./designs-doc-claims.mjs";
import { table, withParts } from "./made-parts.mjs";

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
    ["no.", "design", "who says", "what", "scenario", "comes out", "so it is"],
    CLAIMS.map(({ design, by, claim: text, scenario, set, shown }, index) => {
      const run = [`\`${scenario.split("/").at(-1)}\``, ...set.map((value) => `\`${value}\``)].join(" ");
      return [
        index + 1,
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

export const designsDocument = (text, results) => {
  const result = (comparison) => {
    const found = results.get(keyOf(comparison));
    if (found === undefined) throw new Error(`nothing is known of ${keyOf(comparison)}`);
    return found;
  };
  const parts = Object.entries(PARTS).map(([name, part]) => [name, part(result)]);
  return withParts(DESIGNS_PATH, text, Object.fromEntries(parts));
};
