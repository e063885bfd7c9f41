import { describe, expect, it } from "vitest";
import { bundledScenarios, loadBundled, playInModel } from "./model-machine.ts";

/**
 * Why a scenario that holds on TDX does not on SEV-SNP, as far as one word goes:
 *
 * - unaccept: RFC v2's arch_unaccept_memory() knows TDX only and panics
 * - no-callbacks: only TDX code registers RFC v1's callbacks or the notifier, so nothing accepts
 * - fault-page: accepted before it is mapped, PVALIDATE has no address to go by
 * - terminate: where a TDX kernel panics, an SNP kernel asks to be ended
 * - calls: the scenario counts TDCALLs, TD exits or their time
 * - faults: the scenario makes TDX calls fail
 * - host: the host has no TDX
 */
const REASONS = {
  unaccept: "failed",
  "fault-page": "failed",
  terminate: "failed",
  calls: "failed",
  host: "failed",
  "no-callbacks": "broken",
  faults: "failed",
} as const;
type Reason = keyof typeof REASONS;

const UNACCEPT = "Kernel panic - not syncing: Cannot unaccept memory: unknown platform";
/** What ended the machine, for the reasons that end it. */
const ENDS: { readonly [reason in Reason]?: string } = {
  unaccept: UNACCEPT,
  "fault-page": "Kernel panic - not syncing: Fatal exception",
  terminate: "the guest asked to be ended: linux pvalidate (set 1, code 2), vCPU 0",
};

const NOT_HELD: { readonly [scenario: string]: Reason } = {
  "boot-eager-4g": "calls",
  "boot-eager-64g": "calls",
  "boot-lazy-4g": "calls",
  "boot-lazy-64g": "calls",
  "bugs/B01-accept-under-lock": "calls",
  "bugs/B19-replug-fails": "unaccept",
  "bugs/B31-odd-sub-block-busy": "unaccept",
  "bugs/B34-offline-accepts-all": "unaccept",
  "bugs/P04-bring-up-accepts-all": "calls",
  "bugs/P14-wbinvd-after-remove": "no-callbacks",
  "bugs/P18-partial-accept": "no-callbacks",
  "bugs/P18-partial-release": "no-callbacks",
  "callbacks-accept-fails": "no-callbacks",
  "callbacks-broken": "no-callbacks",
  "callbacks-guard": "no-callbacks",
  "callbacks-replug": "no-callbacks",
  "dimm-replug": "unaccept",
  "extensions-pool": "host",
  "extensions-stranded": "host",
  "field/kata-13535-eager-64g": "calls",
  "hazards/H03-guard-gap-at-unplug": "unaccept",
  "hazards/H04-guard-left-accepted": "fault-page",
  "hazards/H10-big-block": "unaccept",
  "hazards/H13-srat-over-ram": "terminate",
  "hazards/H17-leaked-conversion": "faults",
  "host-cxl-notifier": "host",
  "host-cxl-range-check": "host",
  "host-cxl-secure": "host",
  "host-real-cmrs": "host",
  "host-real-pamt": "host",
  "implicit-conversion": "calls",
  "kexec/callbacks-leftover": "no-callbacks",
  "kexec/device-full": "unaccept",
  "kexec/other-design": "unaccept",
  "kexec/snp-hotplug-dimm-again": "terminate",
  "notifier-one-block": "no-callbacks",
  "notifier-stale": "no-callbacks",
  "notifier-strict-reonline": "no-callbacks",
  "notifier-sub-blocks": "no-callbacks",
  "shared-page-release": "faults",
  "shared-replug": "calls",
  "tide-busy": "faults",
  "tide-dimm": "calls",
  "tide-no-release": "calls",
  "virtio-mem-replug": "unaccept",
  "worked-example": "unaccept",
};

const known = bundledScenarios().filter((name) => !name.startsWith("linux"));

describe("every bundled scenario comes to a verdict on SEV-SNP", () => {
  it.each(known)("%s", async (name) => {
    const { report } = await playInModel(loadBundled(name, ["platform=snp"]));
    const reason = NOT_HELD[name];
    if (reason === undefined) {
      // One that is newer than this table may come to any verdict, but to one.
      expect(["held", "broken", "failed"]).toContain(report.verdict);
      return;
    }
    const end = ENDS[reason];
    expect({ verdict: report.verdict, end: end === undefined ? undefined : report.fate.why }).toEqual({
      verdict: REASONS[reason],
      end,
    });
  });
});

const HOLDS = [
  "bugs/B17-shared-over-kexec",
  "bugs/B18-never-accepted",
  "kexec/tide-dimm-again",
  "real-srat",
  "snp-double-validation",
  "snp-hotplug-altmap",
  "snp-hotplug-dimm",
  "snp-replug",
  "tide-outside-table",
  "tide-sub-blocks",
];
it.each(HOLDS)("%s holds on SEV-SNP", async (name) => {
  const { report } = await playInModel(loadBundled(name, ["platform=snp"]));
  expect(report.verdict).toBe("held");
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
