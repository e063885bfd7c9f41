import { describe, expect, it } from "vitest";
import { around, refusal } from "./testing/load-text.ts";

describe("a mistake is named with its place, what was expected, what was found and what to do", () => {
  const cases: readonly (readonly [name: string, text: string, message: string])[] = [
    ["an empty file", "", "1:1: expected a scenario, found an empty file; see docs/scenarios.md"],
    ["a list", "- 1\n", "1:1: expected a map, found a list of 1"],
    [
      "a mistyped key",
      around("  memroy: 1G\n"),
      "4:3: machine: expected a key known here, found `memroy`; did you mean `memory`?",
    ],
    [
      "a mistyped key rather than the one missing for it",
      "name: s\nmachine:\n  vcpus: 2\n  memroy: 4G\nsteps: [boot]\n",
      "4:3: machine: expected a key known here, found `memroy`; did you mean `memory`?",
    ],
    [
      "a key that would change the map itself",
      around("  __proto__: {}\n"),
      '4:3: machine: expected a key of plain text, found "__proto__"',
    ],
    [
      "a key that would keep the map from being compared",
      "name: s\ntitle: {length: {toString: x}}\nmachine: {memory: 4G}\nsteps: [boot]\n",
      '2:18: title.length: expected a key of plain text, found "toString"',
    ],
    [
      "nesting without end",
      `name: ${"[".repeat(70)}${"]".repeat(70)}\n`,
      "1:71: expected at most 64 levels of nesting, found more; close the brackets or write the list flat",
    ],
    [
      "a missing key",
      "name: s\nmachine:\n  vcpus: 2\nsteps: [boot]\n",
      "3:3: machine.memory: expected a size such as 512M, 4G or 0x100000000, found nothing; add it",
    ],
    [
      "a size without sense",
      around("  maxmem: lots\n"),
      '4:11: machine.maxmem: expected a size such as 512M, 4G or 0x100000000, found "lots"; up to 4P, in whole bytes',
    ],
    [
      "a size off its grain",
      around("  maxmem: 5000001K\n"),
      '4:11: machine.maxmem: expected a multiple of 2M, found "5000001K"; nearest are 4882M and 4884M',
    ],
    [
      "a number out of range",
      around("  vcpus: 0\n"),
      "4:10: machine.vcpus: expected a whole number from 1 to 512, found 0",
    ],
    [
      "YAML 1.1 truth",
      `${around("")}vmm: {pageRelease: on}\n`,
      '6:20: vmm.pageRelease: expected true or false, found "on"; write true',
    ],
    [
      "an unknown design",
      `${around("")}guest: {design: bitmap}\n`,
      '6:17: guest.design: expected a design, found "bitmap"; did you mean `bitmaps`?',
    ],
    [
      "an unknown kernel",
      `${around("")}guest: {kernel: 7.2}\n`,
      "6:17: guest.kernel: expected 6.12 or 7.3, found 7.2",
    ],
    [
      "an unknown step",
      around("", "  - bot"),
      '5:5: steps[0]: expected a step: one key that says what to do, found "bot"; did you mean `boot`?',
    ],
    [
      "two keys in one step",
      around("", "  - boot\n  - note: a\n    reset:"),
      "6:5: steps[1]: expected exactly one key in each step, found a map with reset, note; write one step per list entry",
    ],
    [
      "a step before boot",
      around("", "  - pressure: {leave: 1G}"),
      "5:5: steps[0]: expected `boot` before it, found `pressure`; put `- boot` first",
    ],
    [
      "a second boot",
      around("", "  - boot\n  - boot"),
      "6:5: steps[1]: expected one `boot`, found another; use `reset` to start again",
    ],
    [
      "a DIMM never plugged",
      around("", "  - boot\n  - unplug: {dimm: a}"),
      '6:20: steps[1].unplug.dimm: expected a DIMM that was plugged, found "a"',
    ],
    [
      "a DIMM plugged twice",
      around("", "  - boot\n  - plug: {dimm: a, size: 1G}\n  - plug: {dimm: a, size: 1G}"),
      "7:18: steps[2].plug.dimm: expected a new name, found `a` again; unplug it first",
    ],
    [
      "a device there is not",
      around("  virtioMem: [{id: vm0, size: 1G}]\n", "  - boot\n  - resize: {device: vm1, to: 0}"),
      '7:22: steps[1].resize.device: expected a virtio-mem device, found "vm1"; did you mean `vm0`?',
    ],
    [
      "a device grown too far",
      around("  virtioMem: [{id: vm0, size: 1G}]\n", "  - boot\n  - resize: {device: vm0, to: 2G}"),
      "7:31: steps[1].resize.to: expected at most the size of vm0 (1G), found 2G; ask for less or enlarge the device",
    ],
    [
      "a vCPU there is not",
      around("", "  - boot\n  - pressure: {leave: 1G, vcpu: 2}"),
      "6:33: steps[1].pressure.vcpu: expected a vCPU below 2, found 2; raise machine.vcpus",
    ],
    [
      "memory never allocated",
      around("", "  - boot\n  - free: {name: a}"),
      '6:18: steps[1].free.name: expected an allocation, found "a"',
    ],
    [
      "a mistyped counter",
      `${around("")}expect: {Unacepted: 0}\n`,
      "6:10: expect: expected a key known here, found `Unacepted`; did you mean `Unaccepted`?",
    ],
    [
      "a mistyped counter of a change",
      `${around("")}expect: {change: {Unacepted: 0}}\n`,
      "6:19: expect.change: expected a key known here, found `Unacepted`; did you mean `Unaccepted`?",
    ],
    [
      "a test without sense",
      `${around("")}expect: {Unaccepted: '>> 0'}\n`,
      "6:22: expect.Unaccepted: expected a number or a test such as 0, '>= 3900M' or '1M..4M', found \">> 0\"",
    ],
    [
      "a bad regular expression",
      `${around("")}expect: {dmesg: {matches: '('}}\n`,
      '6:17: expect.dmesg: expected a regular expression, found "("',
    ],
    [
      "bits in disorder",
      `${around("")}expect: {bitmap: {setBits: {plugged: '4-7, 2'}}}\n`,
      "6:38: expect.bitmap.setBits.plugged: expected bits such as '0-1023, 1026' or none, found \"4-7, 2\"; ascending, without overlap",
    ],
    [
      "an unknown invariant",
      `${around("")}invariants: {broken: [I99]}\n`,
      '6:23: invariants.broken[0]: expected an invariant, I1 to I44, found "I99"; did you mean `I9`?',
    ],
    [
      "layout that is not memory",
      around("  layout: [{at: 0, size: 2G}]\n"),
      "4:11: machine.layout: expected ranges that add up to memory (4G), found 2G",
    ],
    [
      "ranges that overlap",
      around("  layout: [{at: 0, size: 2G}, {at: 1G, size: 2G}]\n"),
      "4:31: machine.layout[1]: expected RAM above 0x0-0x7fffffff, found 0x40000000-0xbfffffff; sort the ranges by address",
    ],
    [
      "maxmem that is too small",
      around("  maxmem: 4G\n  virtioMem: [{id: vm0, size: 1G}]\n"),
      "4:11: machine.maxmem: expected at least 5G, for memory and its devices, found 4G; raise it or leave it out",
    ],
    [
      "a SRAT that is not there",
      around("  firmware: {srat: {file: no.dat}}\n"),
      "4:27: machine.firmware.srat.file: expected a readable file, found no such file: no.dat; give a path relative to the scenario file",
    ],
    [
      "a SRAT that is cut short",
      around("  firmware: {srat: {file: cut.dat}}\n"),
      "4:27: machine.firmware.srat.file: expected 48 bytes or more at byte 0 of the SRAT \"cut.dat\", found 47; to play a broken table give its bytes as {hex: '...'}",
    ],
    [
      "a range of which nothing is expected",
      `${around("")}expect: {range: {at: 6G, size: 1G}}\n`,
      "6:17: expect.range[0]: expected what must hold there, such as plugged, online or use, found a place alone; add it",
    ],
    [
      "a wait for nothing",
      around("", "  - boot\n  - wait: {for: {}}"),
      "6:17: steps[1].wait.for: expected what must hold, found an empty map; name it, or leave the key out",
    ],
    [
      "an expectation of nothing",
      `${around("")}expect: {}\n`,
      "6:9: expect: expected what must hold, found an empty map; name it, or leave the key out",
    ],
    [
      "a step that expects nothing",
      around("", "  - boot\n  - expect: {}"),
      "6:13: steps[1].expect: expected what must hold, found an empty map; name it, or leave the key out",
    ],
    ...(["blocks: {}", "change: {}", "bitmap: {}", "host: {}", "tdcalls: {}"] as const).map(
      (inner): [string, string, string] => [
        `nothing of what ${inner} names`,
        `${around("")}expect: {machine: running, ${inner}}\n`,
        `6:${28 + inner.indexOf("{")}: expect.${inner.split(":")[0]}: expected what must hold, found an empty map; name it, or leave the key out`,
      ],
    ),
    ...(["range: []", "dmesg: []", "device: []", "broken: []"] as const).map(
      (inner): [string, string, string] => [
        `none of what ${inner} lists`,
        `${around("")}expect: {machine: running, ${inner}}\n`,
        `6:${28 + inner.indexOf("[")}: expect.${inner.split(":")[0]}: expected what must hold, found an empty list; name it, or leave the key out`,
      ],
    ),
    [
      "no bits of a bitmap",
      `${around("")}expect: {bitmap: {version: 2, setBits: {}}}\n`,
      "6:40: expect.bitmap.setBits: expected what must hold, found an empty map; name it, or leave the key out",
    ],
    [
      "calls of a leaf there is not",
      `${around("")}expect: {tdcalls: {TDG.MEM.PAGE.ACEPT: 0}}\n`,
      "6:20: expect.tdcalls: expected a key known here, found `TDG.MEM.PAGE.ACEPT`; did you mean `TDG.MEM.PAGE.ACCEPT`?",
    ],
    [
      "unaccepted memory that is no RAM",
      around("  firmware: {unaccepted: [{at: 5G, size: 1G}, {at: 3G, size: 2M}]}\n"),
      "4:47: machine.firmware.unaccepted[1]: expected a range of RAM (0x0-0x7fffffff, 0x100000000-0x17fffffff), found 0xc0000000-0xc01fffff",
    ],
    [
      "a descriptor over memory that is not all RAM",
      around("  firmware: {efiMemoryMap: [{type: Reserved, at: 2047M, size: 2M}]}\n"),
      "4:29: machine.firmware.efiMemoryMap[0]: expected a range of RAM (0x0-0x7fffffff, 0x100000000-0x17fffffff), found 0x7ff00000-0x800fffff",
    ],
    [
      "an EFI memory type there is not",
      around("  firmware: {efiMemoryMap: [{type: 16, at: 5G, size: 2M}]}\n"),
      "4:36: machine.firmware.efiMemoryMap[0].type: expected a whole number from 0 to 15, found 16",
    ],
    [
      "more RAM than is modelled",
      "name: s\nmachine: {memory: 64T}\nsteps: [boot]\n",
      "2:19: machine.memory: expected less than 8T, the most that is modelled, found 64T",
    ],
    [
      "a DIMM larger than is modelled",
      around("", "  - boot\n  - plug: {dimm: a, size: 8T}"),
      "6:27: steps[1].plug.size: expected less than 8T, the most that is modelled, found 8T",
    ],
    [
      "DIMMs that are too much together with the RAM",
      around("  dimms: [{id: a, size: 5T}, {id: b, size: 3T}]\n"),
      "4:10: machine.dimms: expected less than 8T with the RAM, the most that is modelled, found 8196G",
    ],
    [
      "a region larger than is modelled",
      around("  virtioMem: [{id: vm0, size: 16T}]\n"),
      "4:31: machine.virtioMem[0].size: expected a region of less than 16T, the most that is modelled, found 16T",
    ],
    [
      "bytes that are no UTF-8",
      around("").replace("name: s", "name: s\ntitle: \ufffdber"),
      '2:8: expected text in UTF-8, found bytes that are none; save the file as UTF-8; in quotes "\\0" and "\\e" stand for control characters',
    ],
    [
      "a file in UTF-16",
      "n\0a\0m\0e\0",
      '1:2: expected text in UTF-8, found the control character U+0000; save the file as UTF-8; in quotes "\\0" and "\\e" stand for control characters',
    ],
    [
      "a key twice",
      "name: s\nname: s\n",
      "2:1: expected YAML, found a mistake (Map keys must be unique); write the key once",
    ],
    [
      "a tab",
      around("\tvcpus: 1\n"),
      "4:1: expected YAML, found a mistake (Tabs are not allowed as indentation); indent with spaces",
    ],
    [
      "a tag",
      "name: !!python/object x\n",
      "1:7: expected YAML, found a mistake (Unresolved tag: tag:yaml.org,2002:python/object); remove the tag",
    ],
    [
      "two documents",
      "name: s\n---\nname: t\n",
      "2:1: expected YAML, found a mistake (a second document); keep one document per file",
    ],
    [
      "a number too big to be exact",
      around("  maxmem: 99999999999999999999\n"),
      "4:11: machine.maxmem: expected an integer below 2^53, found 99999999999999999999",
    ],
  ];
  it.each(cases)("%s", (_name, text, message) => {
    expect(refusal(text)).toBe(`s.yaml:${message}`);
  });
});
