import type { Survey } from "../map/survey.ts";
import {
  CRASH_KERNEL,
  DEVICE_NOT_TAKEN,
  HIDDEN_IOMEM,
  LSMEM_TOTAL,
  NODE_NUMBERS,
  SLIT_SIZE,
  SLIT_VALID,
  VMM_TOTAL,
} from "./consistency-rules.ts";
import { type Finding, type FindingRule, SEVERITIES } from "./finding.ts";
import { ACCEPT_FAILED, ADDED_NOT_ACCEPTED, PLUGGED_AND_DEVICES, TABLE_AND_EFI } from "./guest-rules.ts";
import {
  DEVICE_OUTSIDE_SRAT,
  HOTPLUG_AND_RAM,
  HOTPLUG_OUTSIDE,
  HOTPLUG_OVERLAPS,
  HOTPLUG_SMALL,
  STUB_TABLE,
} from "./hotplug-window-rules.ts";
import {
  BLOCKS_AND_IOMEM,
  E820_AND_EFI,
  IOMEM_AND_E820,
  SRAT_COVERS_RAM,
  SRAT_OVERLAPS,
  SRAT_SOURCES,
} from "./memory-map-rules.ts";
import {
  CMRS_CONTRADICT,
  HOT_ADD_REFUSED,
  RAM_OUTSIDE_CMR,
  RESERVED_AREAS,
  RESERVED_AREAS_SEEN,
  RMP_EDGES,
  TDMRS,
} from "./tdx-host-rules.ts";
import { ADD_FAILED, BLOCK_ALIGNMENT, REFUSED_REQUESTS, UNPLUG_STUCK } from "./unplug-rules.ts";

/** Everything that is looked for. */
export const FINDING_RULES: readonly FindingRule[] = [
  E820_AND_EFI,
  SRAT_COVERS_RAM,
  SRAT_OVERLAPS,
  SRAT_SOURCES,
  IOMEM_AND_E820,
  BLOCKS_AND_IOMEM,
  HOTPLUG_OUTSIDE,
  HOTPLUG_SMALL,
  HOTPLUG_AND_RAM,
  HOTPLUG_OVERLAPS,
  DEVICE_OUTSIDE_SRAT,
  STUB_TABLE,
  HOT_ADD_REFUSED,
  RESERVED_AREAS,
  TDMRS,
  RESERVED_AREAS_SEEN,
  CMRS_CONTRADICT,
  RAM_OUTSIDE_CMR,
  RMP_EDGES,
  ADDED_NOT_ACCEPTED,
  ACCEPT_FAILED,
  TABLE_AND_EFI,
  PLUGGED_AND_DEVICES,
  UNPLUG_STUCK,
  ADD_FAILED,
  DEVICE_NOT_TAKEN,
  BLOCK_ALIGNMENT,
  REFUSED_REQUESTS,
  SLIT_VALID,
  SLIT_SIZE,
  NODE_NUMBERS,
  LSMEM_TOTAL,
  VMM_TOTAL,
  HIDDEN_IOMEM,
  CRASH_KERNEL,
];

/** Findings of one rule that are told; the rest is counted in the last of them. */
const MOST_OF_A_RULE = 20;

const judged = (rule: FindingRule, survey: Survey): Finding[] => {
  const { id, severity, what, source } = rule;
  const found = rule.judge(survey);
  const told = found.slice(0, MOST_OF_A_RULE).map((one): Finding => ({ id, severity, what, source, ...one }));
  const more = found.length - told.length;
  if (more > 0) told.push({ id, severity, what, source, text: `and ${more} more of this kind`, at: [] });
  return told;
};

/** Everything that is to be said about what was read, the gravest first. */
export const findings = (survey: Survey): Finding[] => {
  const all = FINDING_RULES.flatMap((rule) => judged(rule, survey));
  return SEVERITIES.flatMap((severity) => all.filter((finding) => finding.severity === severity));
};
