import { mutantsOf, on } from "./mutant.ts";

export const TDX_MODULE_MUTANTS = [
  ...mutantsOf("tdx-module/tdg/mem-page-accept.ts", [
    [
      "accept-of-a-smaller-page-says-accepted",
      "wrong state",
      "if (state !== SEPT_FREE && isTable(state)) return SIZE_MISMATCH[lo & 7]!;",
      "if (state !== SEPT_FREE && isTable(state)) return ALREADY_ACCEPTED[lo & 7]!;",
      { scenario: "field/dstack-1220-bring-up" },
    ],
    [
      "accept-leaves-pending",
      "step left out",
      "m.pages.zero(pages, level === 0 ? 1 : CHUNKS);\n  sept.mapPending();",
      "m.pages.zero(pages, level === 0 ? 1 : CHUNKS);",
      on("grow-shrink"),
    ],
    [
      "second-accept-passes",
      "guard dropped",
      "if (state === SEPT_MAPPED) return ALREADY_ACCEPTED[lo & 7]!;",
      "if (state === SEPT_MAPPED) return SUCCESS;",
      { scenario: "bugs/B19-replug-fails" },
    ],
  ]),
  ...mutantsOf("tdx-module/tdg/mem-page-release.ts", [
    [
      "release-leaves-mapped",
      "wrong state",
      "sept.setLeaf(SEPT_PENDING, pages);",
      "sept.setLeaf(SEPT_MAPPED, pages);",
      on("grow-shrink"),
    ],
    [
      "release-without-feature",
      "guard dropped",
      'if (!td.hasConfigFlag("PAGE_RELEASE")) {',
      'if (td.hasConfigFlag("PAGE_RELEASE")) {',
      { scenario: "tide-sub-blocks" },
    ],
  ]),
  ...mutantsOf("tdx-module/tdh/mem-page-remove.ts", [
    ["remove-leaves-entry", "step left out", "td.sept.setLeaf(SEPT_FREE, 0);", "", on("replug")],
    ["remove-keeps-frame", "step left out", "m.pamt.free(frame, level);", "", on("replug")],
  ]),
  ...mutantsOf("tdx-module/tdh/mem-track.ts", [
    ["track-without-a-new-epoch", "step left out", "td.words[TD_WORD.TD_EPOCH]!++;", "", on("replug")],
  ]),
  ...mutantsOf("tdx-module/sept-rules.ts", [
    [
      "block-accepts-on-the-way",
      "wrong state",
      'PENDING: "PENDING_BLOCKED",',
      'PENDING: "BLOCKED",',
      on("grow-shrink", {
        aug: "ahead",
        fault: { call: "TDG.MEM.PAGE.ACCEPT", answer: "PAGE_SIZE_MISMATCH" },
      }),
    ],
  ]),
  ...mutantsOf("tdx-module/host-walk.ts", [
    [
      "blocked-test-inverted",
      "wrong condition",
      "if (IS_BLOCKED[td.sept.stateHere] !== 1) return",
      "if (IS_BLOCKED[td.sept.stateHere] === 1) return",
      on("replug"),
    ],
  ]),
  ...mutantsOf("tdx-module/tdg/mem-page-attr-rd.ts", [
    [
      "attributes-deny-pending",
      "wrong state",
      "mappingResult(regs, sept.level, lo, hi, state === SEPT_PENDING);",
      "mappingResult(regs, sept.level, lo, hi, state !== SEPT_PENDING);",
      on("dimm-no-release", { fault: { call: "MapGPA", answer: "INVALID_OPERAND" } }),
    ],
  ]),
  ...mutantsOf("tdx-module/access.ts", [
    [
      "pending-page-is-reached",
      "guard dropped",
      "if (td.sept.stateHere === SEPT_MAPPED) return ACCESS_OK;",
      "if (td.sept.stateHere === SEPT_MAPPED || td.sept.stateHere === SEPT_PENDING) return ACCESS_OK;",
      { scenario: "bugs/B18-never-accepted" },
    ],
  ]),
];
