import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundledScenarios, loadBundled, playInModel } from "./model-machine.ts";

/** Why a scenario that holds on TDX does not on SEV-SNP, as far as one word goes. */
const REASONS = {
  unaccept: "RFC v2's arch_unaccept_memory() knows TDX only and panics",
  "no-callbacks": "only TDX code registers RFC v1's callbacks or the notifier, so nothing accepts",
  "fault-page": "accepted before it is mapped, PVALIDATE has no address to go by",
  terminate: "where a TDX kernel panics, an SNP kernel asks to be ended",
  calls: "the scenario counts TDCALLs, TD exits or their time",
  exits: "every accept leaves the guest, and the VMM begins its work once the vCPU that is late is done",
  faults: "the scenario makes TDX calls fail",
  host: "the host has no TDX",
  ve: "only a TD meets #VE on shared memory",
  rescinds: "on SEV-SNP the series gives memory back",
};

/** What a scenario comes to on SEV-SNP. */
interface Row {
  readonly verdict: "held" | "broken" | "failed";
  readonly state: string;
  /** What ended the machine. */
  readonly why?: string;
  /** Invariants that broke, in the order in which they did. */
  readonly broken?: string;
  /** A key of REASONS, where it does not hold. */
  readonly because?: keyof typeof REASONS;
}

const table: { readonly [scenario: string]: Row } = JSON.parse(
  readFileSync(join(import.meta.dirname, "snp-verdicts.json"), "utf8"),
);
const known = bundledScenarios().filter((name) => !name.startsWith("linux"));

describe("every bundled scenario comes to the verdict of snp-verdicts.json on SEV-SNP", () => {
  it.each(known)("%s", async (name) => {
    const { report } = await playInModel(loadBundled(name, ["platform=snp"]));
    const broken = [...new Set(report.violations.map(({ invariant }) => invariant))].join(" ");
    const { because, ...row } = table[name] ?? {};
    expect({
      verdict: report.verdict,
      state: report.fate.state,
      ...(report.fate.why === "" ? {} : { why: report.fate.why }),
      ...(broken === "" ? {} : { broken }),
    }).toEqual(row);
    if (report.verdict !== "held") expect(Object.keys(REASONS)).toContain(because);
  });

  it("and the table has no other row", () => {
    expect(Object.keys(table).filter((name) => !known.includes(name))).toEqual([]);
  });
});

it("a guest that rescinds leaves the hostile host nothing to show", async () => {
  const { report } = await playInModel(loadBundled("snp-double-validation", ["guest.revert=[]"]));
  expect(report.violations).toEqual([]);
});

it("Tidemark's own design grows, shrinks and grows a device again on SEV-SNP", async () => {
  const set = ["platform=snp", "guest.design=tide"];
  const { report } = await playInModel(loadBundled("virtio-mem-replug", set));
  expect([report.verdict, report.fate.state, report.violations]).toEqual(["held", "running", []]);
});
