import { checkCmrs } from "../../tdx-host/check-ranges.ts";
import { HostInputError } from "../../tdx-host/host-input-error.ts";
import type { Place, Range } from "../facts.ts";
import { contains, difference, intersection, total, union } from "../map/ranges.ts";
import type { Survey } from "../map/survey.ts";
import { holesIn, isTdxHost, tdmrsOf, tdxMemory, tdxOutcome } from "../map/tdx-host.ts";
import { addressText, rangesText, rangeText, sizeText } from "../map/words.ts";
import type { FindingRule, Found, Severity } from "./finding.ts";
import { hotplugRanges } from "./hotplug-window-rules.ts";

/** Reserved areas of a TDMR that every module so far reports (MAX_RESERVED_PER_TDMR). The log does not tell. */
const MOST_RESERVED = 16;
/** The smallest memory block there is. A log need not tell the size, which is 2 GiB on most large hosts. */
const SMALLEST_BLOCK = 128 * 2 ** 20;

const halfOpen = ({ start, end }: Range): string => `[${addressText(start)}, ${addressText(end)})`;

/** What a layout leads to. A log in which the module starts all the same leaves something of the layout out. */
const verdictOf = (survey: Survey): { readonly severity: Severity; readonly verdict: string } =>
  tdxOutcome(survey) === "initialised"
    ? { severity: "note", verdict: "but TDX initialised, so not all of the layout was read" }
    : { severity: "error", verdict: "TDX does not initialise" };

export const RESERVED_AREAS: FindingRule = {
  id: "reserved-areas-exhausted",
  severity: "error",
  what: "TDMRs with more holes than a TDMR has reserved areas",
  source:
    "Linux arch/x86/virt/vmx/tdx/tdx.c (tdmr_populate_rsvd_areas): TDX initialisation fails with -ENOSPC",
  judge: (survey) => {
    if (!isTdxHost(survey)) return [];
    const { severity, verdict } = verdictOf(survey);
    const cmrs = survey.of("cmr");
    const ram = tdxMemory(survey);
    // All TDX memory is convertible, so what the CMRs leave out is a hole even where no map tells the RAM.
    const [who, memory] = ram.length > 0 ? ["the RAM at boot leaves", ram] : ["the CMRs leave", union(cmrs)];
    const place = ram.length > 0 ? (survey.of("e820")[0] ?? survey.of("node-range")[0])?.at : cmrs[0]?.at;
    return tdmrsOf(memory).flatMap((tdmr): Found[] => {
      const holes = holesIn(tdmr, memory);
      if (holes.length <= MOST_RESERVED) return [];
      const byCmr = cmrs.length === 0 || ram.length === 0 ? undefined : holesIn(tdmr, cmrs).length;
      const wayOut =
        byCmr === undefined ? "" : `; a kernel that takes the holes from the CMRs instead needs ${byCmr}`;
      return [
        {
          text: `${who} ${holes.length} holes in TDMR ${halfOpen(tdmr)}, and a TDMR has ${MOST_RESERVED} reserved areas: "TDMR ${halfOpen(tdmr)}: reserved areas exhausted", ${verdict}${wayOut}`,
          severity,
          range: tdmr,
          at: place === undefined ? [] : [place],
        },
      ];
    });
  },
};

/** TDMRs that every module so far takes (MAX_TDMRS). */
const MOST_TDMRS = 64;

export const TDMRS: FindingRule = {
  id: "tdmrs-exhausted",
  severity: "error",
  what: "memory in more pieces than there are TDMRs",
  source: "Linux arch/x86/virt/vmx/tdx/tdx.c (fill_out_tdmrs): TDX initialisation fails with -ENOSPC",
  judge: (survey) => {
    const ram = tdxMemory(survey);
    const count = isTdxHost(survey) ? tdmrsOf(ram).length : 0;
    if (count <= MOST_TDMRS) return [];
    const { severity, verdict } = verdictOf(survey);
    const text = `the RAM at boot needs ${count} TDMRs, and there are ${MOST_TDMRS}: "TDMRs exhausted", ${verdict}`;
    return [{ severity, text, range: ram[0]!, at: [] }];
  },
};

export const RESERVED_AREAS_SEEN: FindingRule = {
  id: "tdx-init-failed",
  severity: "error",
  what: "a TDX module that did not initialise",
  source: "Linux arch/x86/virt/vmx/tdx/tdx.c",
  judge: ({ of }) => [
    ...of("reserved-areas-exhausted").map(
      (fact): Found => ({
        text: `the host ran out of reserved areas in TDMR ${halfOpen(fact)}`,
        range: fact,
        at: [fact.at],
      }),
    ),
    ...of("tdmrs-exhausted").map((fact): Found => ({ text: "the host ran out of TDMRs", at: [fact.at] })),
    ...of("tdx-failed").map(
      ({ errno, at }): Found => ({
        text: `the TDX module did not initialise (-${errno}): no TD can run`,
        at: [at],
      }),
    ),
  ],
};

export const CMRS_CONTRADICT: FindingRule = {
  id: "cmr-list-contradicts",
  severity: "error",
  what: "convertible memory ranges that overlap, do not ascend or are more than 32",
  source: "TDX module: TDH.SYS.INIT checks the list that the firmware's check (MCHECK) leaves",
  judge: (survey) => {
    const cmrs = survey.of("cmr");
    const places = cmrs.map(({ at }) => `${at.source}:${at.line ?? at.offset ?? 0}`);
    try {
      checkCmrs(cmrs.map(({ start, end }, i) => ({ start, end, where: places[i]! })));
      return [];
    } catch (error) {
      if (!(error instanceof HostInputError)) throw error;
      const index = Math.max(
        0,
        places.findIndex((place) => error.message.startsWith(`${place}: `)),
      );
      const { at, ...range } = cmrs[index]!;
      return [{ text: error.message.replace(`${places[index]}: `, ""), range, at: [at] }];
    }
  },
};

export const RAM_OUTSIDE_CMR: FindingRule = {
  id: "ram-outside-cmr",
  severity: "error",
  what: "RAM at boot that is in no convertible memory range",
  source: "TDX module: TDH.SYS.CONFIG refuses a TDMR whose memory outside reserved areas is not convertible",
  judge: (survey) => {
    const cmrs = survey.of("cmr");
    if (cmrs.length === 0) return [];
    const outside = difference(tdxMemory(survey), cmrs);
    if (outside.length === 0) return [];
    const { severity, verdict } = verdictOf(survey);
    const text = `${rangesText(outside)} of the RAM (${sizeText(total(outside))}) is in no CMR: ${verdict}`;
    return [{ severity, text, range: outside[0]!, at: [cmrs[0]!.at] }];
  },
};

/** Memory that may be hot-added on a host: what firmware promises, and what waits in the resource tree. */
const candidates = (
  survey: Survey,
): { readonly range: Range; readonly what: string; readonly at: Place }[] => {
  const { of } = survey;
  const all = [
    ...hotplugRanges(survey).map((fact) => ({ range: fact, what: "hot-pluggable", at: fact.at })),
    ...of("cxl-window").map((fact) => ({ range: fact, what: "CXL window", at: fact.at })),
    ...of("cxl-region").map((fact) => ({ range: fact, what: `CXL ${fact.name}`, at: fact.at })),
    ...of("iomem")
      .filter(({ name }) => /^(?:CXL Window|Soft Reserved|Persistent Memory)/.test(name))
      .map((fact) => ({ range: fact, what: fact.name, at: fact.at })),
    ...of("e820")
      .filter(({ type }) => type === "soft reserved" || type === "persistent")
      .map((fact) => ({ range: fact, what: fact.type, at: fact.at })),
  ];
  const seen = new Set<string>();
  return all.filter(({ range }) => {
    const fresh = !seen.has(rangeText(range)) && range.end > range.start;
    seen.add(rangeText(range));
    return fresh;
  });
};

const blocksText = ({ blockBytes }: Survey, { start, end }: Range): string => {
  const bytes = blockBytes === undefined || blockBytes === 0 ? SMALLEST_BLOCK : blockBytes;
  const count = `${Math.ceil((end - start) / bytes)} of ${sizeText(bytes)}`;
  return blockBytes === bytes ? count : `${count}, fewer if they are larger`;
};

export const HOT_ADD_REFUSED: FindingRule = {
  id: "tdx-host-refuses-hot-add",
  severity: "warning",
  what: "ranges whose memory a TDX host would not let into the page allocator",
  source:
    'Linux arch/x86/virt/vmx/tdx/tdx.c (tdx_memory_notifier); whole ranges: "Check whole hot-adding memory range for TDX", v3',
  judge: (survey) => {
    const memory = tdxMemory(survey);
    const seen = survey.of("hot-add-rejected").map(
      (fact): Found => ({
        text: `the host refused to hot-add ${rangeText(fact)}: it is no memory that TDX was given at boot`,
        range: fact,
        at: [fact.at],
      }),
    );
    if (!isTdxHost(survey) || memory.length === 0) return seen;
    const would = candidates(survey).flatMap(({ range, what, at }): Found[] => {
      if (memory.some((known) => contains(known, range))) return [];
      const message = `virt/tdx: Reject hot-adding memory range: ${addressText(range.start)}-${addressText(range.end)} for TDX compatibility.`;
      const part = intersection([range], memory).length > 0 ? " in part" : "";
      const refusal = `onlining it gives -EPERM for each of its memory blocks (${blocksText(survey, range)}), or, with the check at hot-add, -EINVAL once and "${message}"; devdax stays possible`;
      const failed = tdxOutcome(survey) === "failed";
      const but = failed ? "TDX did not initialise, so nothing is refused; if it did, " : "";
      return [
        {
          ...(failed ? { severity: "note" } : {}),
          text: `${what} ${rangeText(range)} was${part} no RAM at boot: ${but}${refusal}`,
          range,
          at: [at],
        },
      ];
    });
    return [...seen, ...would];
  },
};

export const RMP_EDGES: FindingRule = {
  id: "rmp-shares-2m",
  severity: "warning",
  what: "RAM in the same 2 MiB as an edge of the RMP table",
  source:
    "Linux arch/x86/virt/svm/sev.c (snp_fixup_e820_tables): such memory is HV-fixed, no guest can have it",
  judge: ({ of, ram }) =>
    of("rmp").flatMap((rmp): Found[] => {
      const unit = 2 ** 21;
      const edges = [
        { start: rmp.start - (rmp.start % unit), end: rmp.start },
        { start: rmp.end, end: Math.ceil(rmp.end / unit) * unit },
      ];
      const shared = intersection(union(edges), ram);
      if (shared.length === 0) return [];
      return [
        {
          text: `RAM at ${rangesText(shared)} lies in the same 2 MiB as the RMP table ${rangeText(rmp)}: an SNP guest that is given it does not start`,
          range: shared[0]!,
          at: [rmp.at],
        },
      ];
    }),
};
