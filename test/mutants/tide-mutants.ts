import { mutantsOf, on } from "./mutant.ts";

const CONVERSION_FAILS = { call: "MapGPA", answer: "INVALID_OPERAND" };
const RELEASE_FAILS = { call: "TDG.MEM.PAGE.RELEASE", answer: "OPERAND_BUSY" };

export const TIDE_MUTANTS = [
  ...mutantsOf("designs/tide/guard.ts", [
    [
      "tide-no-guard",
      "guard dropped",
      "if (first === end || !needsGuard(table, first)) return f.returns(0);",
      "return f.returns(0);",
      on("two-blocks"),
    ],
  ]),
  ...mutantsOf("designs/tide/units.ts", [
    [
      "tide-guard-of-itself",
      "off by one",
      "unit === 0 || isAccepted(table, unit - 1)",
      "unit === 0 || isAccepted(table, unit)",
      on("two-blocks"),
    ],
    [
      "tide-one-unit-less",
      "off by one",
      "Math.floor((start + size - table.physBase) / table.unitSize))",
      "Math.floor((start + size - table.physBase) / table.unitSize) - 1)",
      on("grow-shrink"),
    ],
    [
      "tide-accepted-if-plugged",
      "wrong condition",
      "!getBit(table.unaccepted, unit) && getBit(table.plugged!, unit)",
      "getBit(table.unaccepted, unit) && getBit(table.plugged!, unit)",
      on("two-blocks"),
    ],
  ]),
  ...mutantsOf("designs/tide/leave.ts", [
    [
      "tide-interrupts-on-in-a-release",
      "lock",
      "k.cpus.irqsOff[f.vcpu] = f.task + 1;",
      "",
      { config: "replug", rules: ["kexec"] },
    ],
    [
      "tide-leaves-under-accept",
      "guard dropped",
      "if (k.accepting.overlaps(f.get(v.next), f.get(v.end))) {",
      "if (false) {",
      on("accept-beside-unplug"),
    ],
    [
      "tide-bit-set-before-release",
      "order",
      "f.set(v.stop, Math.min(runEnd, first + MOST_UNITS));",
      "f.set(v.stop, Math.min(runEnd, first + MOST_UNITS)); table.markUnaccepted(first, f.get(v.stop));",
      on("grow-shrink"),
    ],
    [
      "tide-says-nothing-of-leaving",
      "step left out",
      "k.accepting.leave(f.task, first, end);",
      "",
      on("grow-shrink"),
    ],
    [
      "tide-bit-not-set-after-release",
      "step left out",
      "k.table!.markUnaccepted(f.get(v.next), f.get(v.stop));",
      "",
      on("replug"),
    ],
    [
      "tide-release-error-swallowed",
      "error swallowed",
      "if (f.result === 0) return f.returns(ERRNO.EBUSY);",
      "",
      on("replug", { fault: RELEASE_FAILS }),
    ],
  ]),
  ...mutantsOf("designs/tide/give-back.ts", [
    [
      "tide-part-of-a-conversion-counts",
      "error swallowed",
      "if (reached !== f.get(v.end)) f.set(v.failed, 1);",
      "",
      on("replug-no-release", { fault: CONVERSION_FAILS }),
    ],
    [
      "tide-failed-conversion-not-accepted-again",
      "step left out",
      "restore: (k, f) => f.call(k.platform.acceptMissing, at.accepted, f.get(v.start), f.get(v.end)),",
      "restore: (_k, f) => f.returns(0),",
      on("replug-no-release", { fault: CONVERSION_FAILS }),
    ],
    [
      "tide-failed-release-is-done",
      "error swallowed",
      "released: (_k, f) => f.returns(isDone(f.result) ? 1 : 0),",
      "released: (_k, f) => f.returns(1),",
      on("replug", { fault: RELEASE_FAILS }),
    ],
    [
      "tide-releases-without-feature",
      "wrong condition",
      "if ((k.cpus.configFlags & CONFIG_PAGE_RELEASE) !== 0)",
      "if ((k.cpus.configFlags & CONFIG_PAGE_RELEASE) === 0)",
      on("replug-no-release-kept"),
      on("replug"),
    ],
  ]),
  ...mutantsOf("designs/tide/virtio.ts", [
    [
      "tide-mapped-without-a-guard",
      "guard dropped",
      "enter: (_k, f) => f.call(acceptGuard, mapped.at.show, f.get(mapped.v.start), f.get(mapped.v.size)),",
      "enter: () => mapped.at.show,",
      on("sub-blocks"),
    ],
    [
      "tide-unplug-all-forgets-nothing",
      "step left out",
      "if (f.get(response) === VIRTIO_MEM_RESPONSE.ACK) forget(k, f.get(start), f.get(size));",
      "",
      // What is plugged again at once has its bits again before anybody could tell.
      on("kexec", { programs: [{ by: "operator", deeds: [{ do: "resize", to: 0 }], when: "any time" }] }),
    ],
    [
      "tide-failed-release-stays-hidden",
      "step left out",
      "return f.call(map, unplug.at.restored, f.get(unplug.v.start), f.get(unplug.v.size));",
      "return unplug.at.restored;",
      on("grow-shrink", { fault: { ...RELEASE_FAILS, times: 2 } }),
    ],
    [
      "tide-plugs-outside-the-table",
      "guard dropped",
      "return f.returns(known ? 0 : ERRNO.ENOSPC);",
      "return f.returns(0);",
      on("outside-table"),
    ],
    [
      "tide-unplugs-mapped",
      "step left out",
      "f.call(k.platform.hide, unplug.at.hidden, f.get(unplug.v.start), f.get(unplug.v.size))",
      "unplug.at.hidden",
      on("sub-blocks"),
    ],
    [
      "tide-refused-unplug-forgets",
      "guard dropped",
      "if (gone) setPlugged(",
      "setPlugged(",
      on("unplug-busy"),
    ],
    [
      "tide-answered-unplug-remembers",
      "step left out",
      "if (gone) setPlugged(k, f.get(start), f.get(size), false);",
      "",
      on("grow-shrink"),
    ],
    [
      "tide-refused-unplug-stays-hidden",
      "step left out",
      "return gone ? f.returns(0) : f.call(map, answered.at.mapped, f.get(start), f.get(size));",
      "return f.returns(0);",
      on("unplug-busy"),
    ],
    [
      "tide-plugged-not-adopted",
      "step left out",
      "return f.call(adopt, after.at.adopted, f.get(after.v.start), f.get(after.v.size));",
      "return after.at.adopted;",
      on("grow-shrink"),
    ],
    [
      "tide-plugged-not-mapped",
      "step left out",
      "adopted: (_k, f) => f.call(map, after.at.mapped, f.get(after.v.start), f.get(after.v.size)),",
      "adopted: () => after.at.mapped,",
      on("sub-blocks"),
    ],
    [
      "tide-unplugs-unreleased",
      "step left out",
      "hidden: (_k, f) => f.call(leave, unplug.at.left, f.get(unplug.v.start), f.get(unplug.v.size)),",
      "hidden: () => unplug.at.left,",
      on("grow-shrink"),
    ],
  ]),
  ...mutantsOf("designs/tide/adopt.ts", [
    [
      "tide-adopts-unplugged",
      "wrong condition",
      "setPlugged(k, f.get(v.start), f.get(v.size), true)",
      "setPlugged(k, f.get(v.start), f.get(v.size), false)",
      on("grow-shrink"),
    ],
  ]),
  ...mutantsOf("designs/tide/core.ts", [
    [
      "tide-dimm-leaves-unreleased",
      "step left out",
      "return f.call(leave, remove.at.left, f.get(remove.v.start), f.get(remove.v.size));",
      "return remove.at.left;",
      on("dimm"),
    ],
    [
      "tide-unplugged-stays-mapped",
      "step left out",
      "if (first >= end) return f.returns(0);\n    const stop",
      "if (first <= end) return f.returns(0);\n    const stop",
      on("sub-blocks"),
    ],
  ]),
  ...mutantsOf("designs/tide/tide.ts", [
    [
      "tide-online-again-unaccepted",
      "step left out",
      "fakeOnlineContiguous: acceptMemory,",
      "",
      on("unplug-busy"),
    ],
  ]),
] as const;
