import { kept } from "../fact-sink.ts";
import { type FactBody, halfOpenRange, inclusiveRange, type Role } from "../facts.ts";
import type { LineRule } from "../text/line-reader.ts";

const A_RANGE = "a range of physical addresses up to 2^52";

const role =
  (name: Role) =>
  ([said]: RegExpExecArray): FactBody[] => [{ kind: "platform", role: name, said: kept(said.trim()) }];

/** What "Memory Encryption Features active" names. SME alone is the host's own and says nothing of a guest. */
const activeFeatures = (features: string): FactBody[] => {
  const said = kept(features.trim());
  if (/\bIntel TDX\b/.test(said)) return [{ kind: "platform", role: "TDX guest", said }];
  if (/\bSEV-SNP\b/.test(said)) return [{ kind: "platform", role: "SNP guest", said }];
  if (/\bSEV\b/.test(said)) return [{ kind: "platform", role: "SEV guest", said }];
  return [];
};

const words = (text: string): string[] => text.trim().split(/\s+/).map(kept);

const TDX_HOST_RULES: readonly LineRule[] = [
  {
    literal: "virt/tdx: ",
    pattern: /virt\/tdx: BIOS enabled: private KeyID range \[(\d{1,6}), ?(\d{1,6})\)/,
    read: ([said, first, end]) => [
      { kind: "platform", role: "TDX host", said: kept(said) },
      { kind: "tdx-keyids", first: Number(first), end: Number(end) },
    ],
  },
  {
    literal: "virt/tdx: ",
    pattern: /virt\/tdx: CMR: \[(?:mem )?0x([0-9a-f]{1,16}), ?0x([0-9a-f]{1,16})\)/,
    begun: /virt\/tdx: CMR: \[/,
    read: ([, first, behind]): FactBody[] | string => {
      const range = halfOpenRange(first!, behind!);
      return range === undefined ? A_RANGE : [{ kind: "cmr", ...range }];
    },
  },
  {
    literal: "virt/tdx: ",
    pattern: /virt\/tdx: TDX module(?:: attributes 0x[0-9a-f]+,| \d+\.\d+\.\d+,?) .*?(?=\s*$)/,
    wholeLine: true,
    read: ([said]) => [
      { kind: "platform", role: "TDX host", said: kept(said) },
      { kind: "tdx-module", said: kept(said.replace("virt/tdx: TDX module", "").replace(/^: */, "").trim()) },
    ],
  },
  {
    literal: "virt/tdx: ",
    pattern: /virt\/tdx: (\d{1,12}) KB allocated for PAMT/,
    read: ([, kib]) => [{ kind: "pamt", kib: Number(kib) }],
  },
  {
    literal: "virt/tdx: ",
    pattern: /virt\/tdx: (?:TDX-Module|TDX module|module) initialized/,
    read: role("TDX host"),
  },
  {
    literal: "virt/tdx: ",
    pattern: /virt\/tdx: (?:TDX-Module|TDX module|module) initialization failed \((-?\d{1,6})\)/,
    read: ([said, errno]) => [
      { kind: "platform", role: "TDX host", said: kept(said) },
      { kind: "tdx-failed", errno: Math.abs(Number(errno)) },
    ],
  },
  {
    literal: "virt/tdx: ",
    pattern: /virt\/tdx: .*?TDMR \[0x([0-9a-f]{1,16}), ?0x([0-9a-f]{1,16})\): reserved areas exhausted/,
    read: ([, first, behind]): FactBody[] | string => {
      const range = halfOpenRange(first!, behind!);
      return range === undefined ? A_RANGE : [{ kind: "reserved-areas-exhausted", ...range }];
    },
  },
  {
    literal: "virt/tdx: ",
    pattern: /virt\/tdx: .*?TDMRs exhausted/,
    read: () => [{ kind: "tdmrs-exhausted" }],
  },
  {
    literal: "virt/tdx: ",
    pattern: /virt\/tdx: Reject hot-adding memory range: 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})/,
    read: ([, first, behind]): FactBody[] | string => {
      const range = halfOpenRange(first!, behind!);
      return range === undefined ? A_RANGE : [{ kind: "hot-add-rejected", ...range }];
    },
  },
];

/** Hosts and guests of TDX and SNP as their kernels tell of it. */
export const CONFIDENTIAL_RULES: readonly LineRule[] = [
  ...TDX_HOST_RULES,
  { literal: "tdx: ", pattern: /\btdx: Guest (?:detected|initialized)/, read: role("TDX guest") },
  {
    literal: "tdx: ",
    pattern: /\btdx: Attributes: ((?:[A-Z0-9_]+(?![\w:-]) ?)+)/,
    read: ([, names]) => [{ kind: "td-words", word: "attributes", names: words(names!) }],
  },
  {
    literal: "tdx: ",
    pattern: /\btdx: TD_CTLS: ((?:[A-Z0-9_]+(?![\w:-]) ?)+)/,
    read: ([, names]) => [{ kind: "td-words", word: "TD_CTLS", names: words(names!) }],
  },
  {
    literal: "Memory Encryption ",
    pattern: /Memory Encryption Features active: ((?:(?:Intel|AMD|TDX|SME|SEV(?:-ES|-SNP)?)(?![\w-]) ?)+)/,
    read: ([, features]) => activeFeatures(features!),
  },
  {
    literal: "SEV-SNP: ",
    pattern: /SEV-SNP: RMP table physical (?:address|range) \[0x([0-9a-f]{1,16}) - 0x([0-9a-f]{1,16})\]/,
    read: ([said, first, last]): FactBody[] | string => {
      const range = inclusiveRange(first!, last!);
      if (range === undefined) return A_RANGE;
      return [
        { kind: "platform", role: "SNP host", said: kept(said) },
        { kind: "rmp", ...range },
      ];
    },
  },
  {
    literal: "SEV-SNP: ",
    pattern: /SEV-SNP: .*?rmp_base=0x([0-9a-f]{1,16}), rmp_end=0x([0-9a-f]{1,16})/,
    read: ([, first, last]): FactBody[] | string => {
      const range = inclusiveRange(first!, last!);
      return range === undefined ? A_RANGE : [{ kind: "rmp", ...range }];
    },
  },
  {
    literal: "SEV-SNP: ",
    pattern:
      /SEV-SNP: Reserving (?:start\/end|start|end) of RMP table on a 2MB boundary \[0x[0-9a-f]{1,16}\]/,
    read: role("SNP host"),
  },
  {
    literal: "kvm_amd: ",
    pattern: /kvm_amd: SEV-SNP enabled.*/,
    read: role("SNP host"),
  },
];
