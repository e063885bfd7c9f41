import { mutantsOf, on } from "./mutant.ts";

export const HOTPLUG_MUTANTS = [
  ...mutantsOf("linux/virtio-mem/online-page.ts", [
    ["mixed-chunk-counts-as-plugged", "wrong condition", ": MIXED;", ": FULL;", on("odd-half")],
    [
      "last-sub-block-of-a-chunk-missed",
      "off by one",
      "const count = last - first + 1;",
      "const count = last - first + (last > first ? 0 : 1);",
      on("sub-blocks"),
    ],
    [
      "onlines-unplugged-sub-block",
      "wrong condition",
      "return count === 1 || vm.allUnplugged(block, first, count) ? NONE : MIXED;",
      "return FULL;",
      on("sub-blocks"),
    ],
  ]),
  ...mutantsOf("linux/virtio-mem/request.ts", [
    [
      "refused-unplug-counts",
      "guard dropped",
      "if (f.result === 0) vm.setPlugged(",
      "vm.setPlugged(",
      on("unplug-busy"),
    ],
    [
      "unplug-is-always-acked",
      "wrong state",
      "return f.callIf(hook, at.hooked, f.get(v.addr), f.get(v.size), response);\n  },\n  hooked: (_k, f) => f.returns(f.result < 0 ? f.result : f.get(unplug.v.error)),",
      "return f.callIf(hook, at.hooked, f.get(v.addr), f.get(v.size), 0);\n  },\n  hooked: (_k, f) => f.returns(f.result < 0 ? f.result : f.get(unplug.v.error)),",
      on("unplug-busy"),
    ],
    [
      "unplug-before-release",
      "order",
      "return f.callIf(k.design.hooks.virtioUnplug, at.allowed,",
      "return f.callIf(undefined, at.allowed,",
      on("grow-shrink"),
    ],
  ]),
  ...mutantsOf("linux/virtio-mem/fake-offline.ts", [
    [
      "fake-offline-leaves-pages-in-use",
      "step left out",
      "markOffline(k, pfn, f.get(v.pages), subBlockSize / k.geometry.pageSize);",
      "pfn + subBlockSize;",
      on("sub-blocks"),
    ],
    [
      "contiguous-hook-left-out",
      "step left out",
      "      k.design.hooks.fakeOnlineContiguous,\n",
      "      undefined,\n",
      on("unplug-busy"),
    ],
  ]),
  ...mutantsOf("linux/page-allocator/contig-range.ts", [
    [
      "contiguous-range-moves-nothing",
      "step left out",
      "f.result === 0 ? f.call(migrateRange, at.migrated, f.get(v.startPfn), f.get(v.n)) : f.returns(f.result)",
      "f.result === 0 ? at.migrated : f.returns(f.result)",
      on("moved-or-freed", {
        programs: [{ by: "operator", deeds: [{ do: "resize", to: 0 }], when: "at rest" }],
      }),
    ],
  ]),
  ...mutantsOf("linux/virtio-mem/sbm-unplug-online.ts", [
    [
      "unplug-stops-at-busy",
      "wrong condition",
      "if (f.result !== 0 && f.result !== ERRNO.EBUSY) return f.returns(f.result);",
      "if (f.result !== 0) return f.returns(f.result);",
      on("unplug-waits", {
        before: [
          { do: "allocate", units: 2, as: "rest", pinned: true },
          { do: "resize", to: 2 },
          { do: "allocate", units: 1, as: "ring", pinned: true },
          { do: "allocate", units: 1, as: "tail", pinned: true },
          { do: "free", as: "ring" },
        ],
        programs: [{ by: "operator", deeds: [{ do: "resize", to: 1 }], when: "at rest" }],
      }),
    ],
    [
      "unplugs-pages-in-use",
      "error swallowed",
      "if (f.result !== 0) return f.returns(f.result);\n    const device",
      "const device",
      on("moved-or-freed"),
    ],
  ]),
  ...mutantsOf("linux/virtio-mem/sbm-unplug.ts", [
    [
      "mutex-kept-after-unplug",
      "lock",
      "dropMutex(k, f, f.get(unplug.v.device));\n  return f.returns(answer);",
      "return f.returns(answer);",
      on("grow-shrink"),
    ],
    [
      "unplug-holds-mutex-between-blocks",
      "lock",
      "dropMutex(k, f, f.get(v.device));\n    return at.lock;",
      "return at.lock;",
      on("shrink-two-blocks"),
    ],
  ]),
  ...mutantsOf("linux/virtio-mem/sbm-plug.ts", [
    [
      "plug-counts-one-less",
      "off by one",
      "Math.min(f.get(v.left), k.virtioMem[f.get(v.device)]!.subBlocks)",
      "Math.min(f.get(v.left), k.virtioMem[f.get(v.device)]!.subBlocks - 1)",
      on("replug"),
    ],
    [
      "mutex-kept-after-plug",
      "lock",
      "dropMutex(k, f, f.get(v.device));\n    return at.unused;",
      "return at.unused;",
      on("grow-shrink"),
    ],
  ]),
  ...mutantsOf("linux/virtio-mem/work.ts", [
    [
      "unplug-all-is-forgotten",
      "step left out",
      "const required = k.virtioMem[device]!.has(VM.UNPLUG_ALL_REQUIRED);",
      "const required = false;",
      on("kexec"),
    ],
    [
      "config-change-is-not-read",
      "step left out",
      "vm.words[VM.CONFIG_CHANGED] = 0;\n      refreshConfig(k, vm);",
      "vm.words[VM.CONFIG_CHANGED] = 0;",
      on("replug"),
    ],
    [
      "busy-arms-no-timer",
      "step left out",
      "vm.words[VM.TIMER_MS] = vm.words[VM.RETRY_MS]!;\n      vm.words[VM.TIMER_ARMINGS]!++;",
      "",
      on("unplug-waits"),
    ],
  ]),
  ...mutantsOf("linux/memory-hotplug/add-memory.ts", [
    [
      "hotplug-lock-kept-after-add",
      "lock",
      "k.locks.release(DEVICE_HOTPLUG_LOCK, f.task);",
      "",
      on("grow-shrink"),
    ],
  ]),
  ...mutantsOf("linux/memory-hotplug/remove-memory.ts", [
    [
      "hotplug-lock-given-before-the-hook",
      "lock",
      "    k.blocks.tryOfflineNode(f.get(v.node));",
      "    k.blocks.tryOfflineNode(f.get(v.node)); k.locks.release(MEM_HOTPLUG_LOCK, f.task);",
      on("grow-shrink"),
    ],
  ]),
  ...mutantsOf("linux/memory-hotplug/offline-block.ts", [
    [
      "offline-block-too-soon",
      "guard dropped",
      "return f.result === 0 ? at.test : at.stuck;",
      "return finish(k, f);",
      on("dimm"),
    ],
  ]),
  ...mutantsOf("linux/acpi-memory/hotplug-event.ts", [
    [
      "ejected-before-removal",
      "order",
      "return f.call(detachMemoryDevice, eject.at.detached, f.get(eject.v.slot));",
      "return eject.at.detached;",
      on("dimm"),
    ],
    [
      "only-the-first-slot-is-scanned",
      "off by one",
      "if (slot === acpi.slots) return f.returns(0);",
      "if (slot === 1) return f.returns(0);",
      on("two-dimms"),
    ],
  ]),
];
