import type { ExtensionPoolFacts, HostOverhead } from "./host-overhead.ts";
import type { Limit } from "./limits.ts";
import type { MachineFacts } from "./machine-facts.ts";
import type { PlanRequest } from "./plan-request.ts";

/** Virtual machine monitors, and what drives them, for which a plan has a snippet. */
export const VMMS = ["qemu", "libvirt", "kubevirt"] as const;
export type VmmName = (typeof VMMS)[number];

/** What part of a time was spent on. */
export interface BilledRow {
  readonly row: string;
  readonly what: string;
  readonly count: number;
  readonly eachNs: number;
  readonly ns: number;
  /** Where the figures come from, and how sure they are. */
  readonly sources: readonly string[];
}

/** A virtual time with its range of uncertainty and where it goes. */
export interface Timing {
  readonly ns: number;
  readonly lowNs: number;
  readonly highNs: number;
  /** SUCCESS, or how it ended instead. */
  readonly status: string;
  readonly detail: string;
  /** Sizes of the two machines whose runs it follows from; empty: it was measured on this very machine. */
  readonly from: readonly number[];
  readonly bill: readonly BilledRow[];
  /** Time in which nothing was done. */
  readonly waitNs: number;
  /** What the bill exceeds the time by, where guest and host work at the same time. */
  readonly sideBySideNs: number;
}

/** Everything that a plan says. This is the document that `plan --json` prints. */
export interface PlanReport {
  readonly format: "tidemark-plan";
  /** 2 for an SEV-SNP guest, whose host has other figures. */
  readonly formatVersion: 1 | 2;
  readonly tidemark: string;
  readonly request: PlanRequest;
  readonly machine: MachineFacts;
  readonly boot: { readonly lazy: Timing; readonly eager: Timing; readonly freeAfterBoot: number };
  readonly plug: Timing | null;
  readonly unplug: Timing | null;
  readonly host: HostOverhead;
  /** null where no TDX module is. */
  readonly extensions: ExtensionPoolFacts | null;
  readonly limits: readonly Limit[];
  readonly snippets: { readonly [vmm in VmmName]: string };
  /** The scenario of the machine, which `run` plays. */
  readonly scenario: string;
}
