import { INVARIANTS } from "../machine/invariants/table.ts";
import { formatSize, roughSize } from "../scenario/quantity.ts";
import { MAX_SLOTS } from "../vmm/layout.ts";
import type { MachineFacts } from "./machine-facts.ts";
import type { PlanRequest } from "./plan-request.ts";

export const LIMIT_SEVERITIES = ["ok", "note", "warning", "error"] as const;
export type LimitSeverity = (typeof LIMIT_SEVERITIES)[number];

/** One thing that bounds the machine. */
export interface Limit {
  readonly id: string;
  /** `error`: the machine does not come to be, or does not do what was planned. */
  readonly severity: LimitSeverity;
  /** What is bounded. */
  readonly what: string;
  readonly value: number | null;
  readonly limit: number | null;
  readonly text: string;
  readonly source: string;
}

/** What limits are judged by: the plan so far. */
export interface Planned {
  readonly request: PlanRequest;
  readonly facts: MachineFacts;
  /** Bytes that are free once the machine has booted. */
  readonly freeAfterBoot: number;
  readonly phases: readonly { readonly what: string; readonly status: string; readonly detail: string }[];
  readonly broken: readonly string[];
  /** What of the design is not modelled on this platform; empty: nothing. */
  readonly notModelled: string;
}

type Rule = (planned: Planned) => Limit | undefined;

/** Memory blocks that a machine of 4 TiB has at 128 MiB each; each is a folder in /sys. */
const MANY_BLOCKS = 32768;
/** End of what is private where the guest-physical address has 48 bits, and where it has 52. */
const PRIVATE_48 = 2 ** 47;
const PRIVATE_52 = 2 ** 51;

const slots: Rule = ({ request: { device, dimms, hotplug } }) => {
  if (hotplug === 0) return undefined;
  const isDimm = device === "dimm";
  return {
    id: "slots",
    severity: "ok",
    what: "DIMM slots",
    value: isDimm ? dimms : 0,
    limit: MAX_SLOTS,
    text: isDimm
      ? `${dimms} of ${MAX_SLOTS} slots; each widens the hot-plug window by 1G`
      : "a virtio-mem device takes none",
    source: "QEMU, -m slots",
  };
};

const blocks: Rule = ({
  facts: {
    blocks: { size, boot, hotplug },
  },
}) => {
  const count = boot + hotplug;
  const many = count > MANY_BLOCKS;
  return {
    id: "memory-blocks",
    severity: many ? "warning" : "ok",
    what: "memory blocks",
    value: count,
    limit: MANY_BLOCKS,
    text: `${count} of ${formatSize(size)}${many ? ": /sys and all that walk it become slow; a kernel takes 2G if RAM is 64G or more and ends at a multiple of 2G" : ""}`,
    source: "Linux arch/x86/mm/init_64.c, probe_memory_block_size; 4 TiB in blocks of 128 MiB are 32768",
  };
};

const alignment: Rule = ({
  request,
  facts: {
    blocks: { size },
  },
}) => {
  const { hotplug, device, dimms, blockSize } = request;
  if (hotplug === 0) return undefined;
  const each = device === "dimm" ? hotplug / dimms : hotplug;
  const grain = device === "dimm" ? size : Math.max(blockSize, 2 ** 21);
  const rest = each % grain;
  const what = device === "dimm" ? "a DIMM" : "the device";
  return {
    id: "alignment",
    severity: rest === 0 ? "ok" : "error",
    what: "alignment",
    value: each,
    limit: grain,
    text:
      rest === 0
        ? `${what} of ${formatSize(each)} is a multiple of ${formatSize(grain)}`
        : `${what} of ${formatSize(each)} is no multiple of ${formatSize(grain)}: Linux refuses it; plan ${formatSize(each - rest)} or ${formatSize(each - rest + grain)}`,
    source: "Linux mm/memory_hotplug.c, check_hotplug_memory_range; the bitmaps' unit of 2 MiB",
  };
};

const memmap: Rule = ({ request: { hotplug, device, dimms }, facts, freeAfterBoot }) => {
  if (hotplug === 0) return undefined;
  const all = facts.memmap.hotplug;
  const fits = all <= freeAfterBoot;
  const need = `struct pages of ${formatSize(hotplug)} take ${roughSize(all)}, ${roughSize(freeAfterBoot)} are free after boot`;
  const firstFails = device === "dimm" && facts.memmap.hotplug / dimms > freeAfterBoot;
  const advice = firstFails
    ? "add_memory fails: boot with more memory, plug smaller DIMMs one after the other, or set memory_hotplug.memmap_on_memory"
    : "the later blocks' struct pages lie in hot-added memory, which then cannot be unplugged";
  return {
    id: "memmap",
    severity: fits ? "ok" : firstFails ? "error" : "warning",
    what: "struct pages of hot-plugged memory",
    value: all,
    limit: freeAfterBoot,
    text: fits ? need : `${need}: ${advice}`,
    source: "64 bytes a page; Linux mm/sparse-vmemmap.c",
  };
};

/** On SEV-SNP an RMP entry has 39 bits for the page of the guest, and the C-bit lies above. */
const snpAddress = (end: number): Limit => ({
  id: "address-width",
  severity: end > PRIVATE_52 ? "error" : "ok",
  what: "guest-physical addresses",
  value: end,
  limit: PRIVATE_52,
  text: `memory ends at ${roughSize(end)}, an RMP entry takes addresses of 51 bits`,
  source: "RMP entry, Family 19h: guest page in bits 50:12",
});

const address: Rule = ({ request: { platform }, facts: { ram, window } }) => {
  const end = Math.max(window?.end ?? 0, ...ram.map((range) => range.end));
  if (platform === "snp") return snpAddress(end);
  const wide = end > PRIVATE_48;
  return {
    id: "address-width",
    severity: end > PRIVATE_52 ? "error" : wide ? "note" : "ok",
    what: "guest-physical addresses",
    value: end,
    limit: PRIVATE_52,
    text: `memory ends at ${roughSize(end)}${wide ? ": the TD needs a GPAW of 52 and five levels of secure EPT" : ", a GPAW of 48 will do"}`,
    source: "TDX module ABI: the top bit of the address means shared",
  };
};

const table: Rule = ({ request: { design, hotplug }, facts: { table: made, window } }) => {
  if (made === null || hotplug === 0 || window === null) return undefined;
  return {
    id: "table-coverage",
    severity: made.coversWindow ? "ok" : "note",
    what: "the unaccepted-memory table",
    value: made.covers.end,
    limit: window.end,
    text: made.coversWindow
      ? "it has bits for the hot-plug window"
      : `it ends before the hot-plug window: under the design ${design} hot-plugged memory has no bits`,
    source: "Linux drivers/firmware/efi/libstub, as the design changes it",
  };
};

const outcomes: Rule = ({ phases }) => {
  const bad = phases.find(({ status }) => status !== "SUCCESS");
  if (bad === undefined) return undefined;
  const { what, status, detail } = bad;
  return {
    id: "outcome",
    severity: "error",
    what,
    value: null,
    limit: null,
    text: `${what} ends with ${status}${detail === "" ? "" : ` (${detail})`} in the model world`,
    source: "a run of the planned machine",
  };
};

const invariants: Rule = ({ broken, request: { design } }) => {
  if (broken.length === 0) return undefined;
  const named = broken.map((id) => `${id} (${INVARIANTS.find((one) => one.id === id)?.says ?? "unknown"})`);
  return {
    id: "invariants",
    severity: "error",
    what: "invariants",
    value: broken.length,
    limit: 0,
    text: `boot, plug or unplug under the design ${design} breaks ${named.join(", ")}`,
    source: "a run of the planned machine",
  };
};

const modelled: Rule = ({ notModelled }) =>
  notModelled === ""
    ? undefined
    : {
        id: "not-modelled",
        severity: "warning",
        what: "times of plug and unplug",
        value: null,
        limit: null,
        text: `unknown: ${notModelled} is not modelled`,
        source: "docs/coverage.md",
      };

const RULES: readonly Rule[] = [
  slots,
  alignment,
  blocks,
  memmap,
  address,
  table,
  outcomes,
  invariants,
  modelled,
];

/** What bounds a planned machine, and what does not hold. */
export const limitsOf = (planned: Planned): Limit[] =>
  RULES.map((rule) => rule(planned)).filter((limit) => limit !== undefined);
