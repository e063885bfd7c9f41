import { mutantsOf, on } from "./mutant.ts";

export const VMM_MUTANTS = [
  ...mutantsOf("vmm/zap.ts", [
    [
      "zap-one-unit-more",
      "off by one",
      "f.set(z.v.end, Math.min(to, k.map.end(area)) - start);",
      "f.set(z.v.end, Math.min(to + UNIT_PAGES, k.map.end(area)) - start);",
      on("sub-blocks"),
    ],
    [
      "zap-keeps-mapping-in-mind",
      "step left out",
      "k.pieceOf(f.get(z.v.area)).setUnmapped(f.get(z.v.page));",
      "",
      on("replug"),
    ],
    [
      "zap-keeps-backing",
      "step left out",
      "(mode & FREE_PRIVATE) !== 0 ? k.pieceOf(area).free(from, end) : 0",
      "0",
      { scenario: "host-td-secure" },
    ],
    [
      "zap-leaves-attribute-private",
      "step left out",
      "if ((mode & MAKE_SHARED) !== 0) k.setAttribute(area, from, end, false);",
      "",
      { scenario: "bugs/B15-zeropad-into-shared" },
    ],
    [
      "zap-does-not-remove",
      "step left out",
      "blocked: (k, f) => (f.result === DONE ? z.at.remove : unlocked(k, f, f.result)),",
      "blocked: (k, f) => (f.result === DONE ? z.at.writeBack : unlocked(k, f, f.result)),",
      on("replug"),
    ],
    [
      "zap-keeps-lock",
      "lock",
      "const unlocked = (k: Vmm, f: Frame<Vmm>, result: number): Next => {\n  k.zaps.give();",
      "const unlocked = (k: Vmm, f: Frame<Vmm>, result: number): Next => {\n  k;",
      on("replug"),
    ],
    ["zap-removes-no-area", "step left out", "k.map.remove(area);", "", on("dimm")],
  ]),
  ...mutantsOf("vmm/requests.ts", [
    [
      "unplug-all-discards-nothing",
      "step left out",
      "if (all && device.pluggedSize === 0) return r.at.commit;",
      "if (all) return r.at.commit;",
      { config: "kexec", design: "notifier", rules: ["I3"] },
    ],
    [
      "plug-answered-before-it-is-done",
      "order",
      "return r.at.commit;\n};",
      "return respond(k, f, ACK);\n};",
      on("grow-shrink"),
    ],
    [
      "check-of-request-ignored",
      "guard dropped",
      "if (answer !== PROCEED) return respond(k, f, answer);",
      "",
      { scenario: "hazards/H10-big-block" },
    ],
    [
      "failed-discard-is-committed",
      "error swallowed",
      "return f.result === DONE ? r.at.commit : respond(",
      "return f.result !== DEAD ? r.at.commit : respond(",
      { config: "replug", design: "notifier", rules: ["I3"] },
    ],
    [
      "discards-unit-too-far",
      "off by one",
      "return f.call(discard, r.at.discarded, start, start + f.get(r.v.pages));",
      "return f.call(discard, r.at.discarded, start + 512, start + 512 + f.get(r.v.pages));",
      on("replug"),
    ],
  ]),
  ...mutantsOf("vmm/virtio-mem-device.ts", [
    [
      "device-plugs-one-block-less",
      "off by one",
      "(type === PLUG ? setRange : clearRange)(this.plugged, first, first + count);",
      "(type === PLUG ? setRange : clearRange)(this.plugged, first, first + count - 1);",
      on("grow-shrink"),
    ],
    [
      "device-forgets-size",
      "step left out",
      "this.words[PLUGGED_BYTES]! += (type === PLUG ? count : -count) * this.blockSize;",
      "",
      on("replug"),
    ],
  ]),
  ...mutantsOf("vmm/map-page.ts", [
    [
      "aug-of-taken-frame",
      "step left out",
      "piece.setMappedHuge(unit);\n    return DONE;",
      "return DONE;",
      on("replug"),
    ],
  ]),
  ...mutantsOf("vmm/host-memory.ts", [
    [
      "host-gives-block-twice",
      "step left out",
      "setBit(this.taken, block);",
      "",
      { scenario: "dimm-memory" },
    ],
  ]),
  ...mutantsOf("vmm/eject.ts", [
    [
      "eject-keeps-dimm",
      "step left out",
      "k.dimms.empty(slot);",
      "",
      on("dimm", {
        programs: [{ by: "operator", deeds: [{ do: "plug" }, { do: "unplug" }], when: "at rest" }],
      }),
    ],
    [
      "eject-keeps-memory",
      "step left out",
      "const mode = FREE_PRIVATE | FREE_SHARED | REMOVE_AREA;",
      "const mode = REMOVE_AREA;",
      { scenario: "snp-double-validation" },
    ],
  ]),
  ...mutantsOf("vmm/convert.ts", [
    [
      "shared-without-zap",
      "step left out",
      "if (!toPrivate) return f.call(zap, c.at.converted, from, next, FREE_PRIVATE | MAKE_SHARED);",
      "if (!toPrivate) return c.at.converted;",
      on("replug-no-release-kept"),
    ],
    [
      "private-though-asked-shared",
      "wrong condition",
      "const toPrivate = f.get(c.v.toPrivate) !== 0;",
      "const toPrivate = f.get(c.v.toPrivate) === 0;",
      { scenario: "bugs/B15-zeropad-into-shared" },
    ],
  ]),
];
