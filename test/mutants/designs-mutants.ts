import { mutantsOf, on } from "./mutant.ts";

export const DESIGNS_MUTANTS = [
  ...mutantsOf("designs/bitmaps/bitmaps.ts", [
    [
      "bitmaps-refused-unplug-forgets",
      "guard dropped",
      "if (f.get(response) === VIRTIO_MEM_RESPONSE.ACK) setPlugged(",
      "setPlugged(",
      { config: "unplug-busy", design: "bitmaps", rules: ["I8", "I14", "I33"] },
    ],
    [
      "bitmaps-unplugs-unreleased",
      "step left out",
      "virtioUnplug: unacceptMemory,",
      "",
      { config: "grow-shrink", design: "bitmaps", rules: ["I39", "I32"] },
    ],
    [
      "bitmaps-online-again-unaccepted",
      "step left out",
      "fakeOnlineContiguous: acceptMemory,",
      "",
      { config: "unplug-busy", design: "bitmaps", rules: ["I21", "I33"] },
    ],
  ]),
  ...mutantsOf("designs/bitmaps/unaccept-memory.ts", [
    [
      "bitmaps-bit-set-before-release",
      "order",
      "f.set(v.runEnd, runEnd);",
      "f.set(v.runEnd, runEnd); table.markUnaccepted(runStart, runEnd);",
      { config: "grow-shrink", design: "bitmaps", rules: ["I6", "I8"] },
    ],
    [
      "bitmaps-lock-dropped-early",
      "lock",
      "k.cpus.irqsOff[f.vcpu] = f.task + 1;\n",
      "k.cpus.irqsOff[f.vcpu] = f.task + 1; k.locks.release(UNACCEPTED_MEMORY_LOCK, f.task);\n",
      { config: "grow-shrink", design: "bitmaps", rules: ["I5", "I6", "I7", "I8"] },
    ],
  ]),
  ...mutantsOf("designs/bitmaps/plugged-bits.ts", [
    [
      "plugged-one-unit-more",
      "off by one",
      "const end = first + size / table.unitSize;",
      "const end = first + size / table.unitSize + 1;",
      on("grow-shrink"),
    ],
  ]),
  ...mutantsOf("designs/callbacks.ts", [
    [
      "callbacks-accept-left-out",
      "step left out",
      "return f.call(k.platform.accept, plugged.at.accepted, start, start + size);",
      "return f.returns(0);",
      { config: "grow-shrink", design: "callbacks", rules: ["I21"] },
    ],
    [
      "callbacks-refused-unplug-unaccepted",
      "wrong condition",
      "if (f.get(answered.v.response) === VIRTIO_MEM_RESPONSE.ACK) return f.returns(0);",
      "if (f.get(answered.v.response) !== VIRTIO_MEM_RESPONSE.ACK) return f.returns(0);",
      { config: "unplug-busy", design: "callbacks", rules: ["I2", "I21", "I33"] },
    ],
    [
      "callbacks-release-left-out",
      "step left out",
      "return f.call(k.platform.release, unplug.at.released, start, start + size);",
      "return f.returns(0);",
      { config: "grow-shrink", design: "callbacks", rules: ["I3", "I39"] },
    ],
  ]),
] as const;
