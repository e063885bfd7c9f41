import type { Mutant } from "./mutant.ts";

/** One line of the program, changed, after which nothing is wrong that anybody may rely on. */
export interface EquivalentMutant extends Pick<Mutant, "name" | "file" | "from" | "to"> {
  /** The line that makes up for it: a piece that occurs once in its source file, below src/. */
  readonly by: readonly [file: string, text: string];
  readonly why: string;
}

const mutant = (
  name: string,
  file: string,
  [from, to]: readonly [from: string, to: string],
  by: EquivalentMutant["by"],
  why: string,
): EquivalentMutant => ({ name, file, from, to, by, why });

/** Searched for where they could show, and held there. */
export const EQUIVALENT_MUTANTS: readonly EquivalentMutant[] = [
  mutant(
    "failed-add-stays-plugged",
    "linux/virtio-mem/sbm-plug.ts",
    [
      "return f.call(unplugSubBlocks, at.undone, f.get(v.device), f.get(v.block), 0, f.get(v.count));",
      "return at.undone;",
    ],
    ["linux/virtio-mem/cleanup.ts", "const block = vm.nextInState(SBM.PLUGGED, f.get(v.block));"],
    "held in plug-add-fails: -ENOMEM arms the timer, and the next run unplugs what is plugged and not added. An add that fails with an error the driver does not know would break it first; no fault here makes one",
  ),
  mutant(
    "plug-asks-for-a-run-in-pieces",
    "linux/virtio-mem/sbm-plug.ts",
    ["while (count < most && first", "while (count < most - 1 && first"],
    ["linux/virtio-mem/sbm-plug.ts", "if (f.get(v.left) === 0 || first >= vm.subBlocks) return at.full;"],
    "held in sub-blocks, odd-half and replug: as long as some are left the next run of sub-blocks is asked for. It costs requests, and memory that comes in smaller pieces is accepted at once",
  ),
  mutant(
    "plug-has-one-left-too-many",
    "linux/virtio-mem/sbm-plug.ts",
    [
      "if (f.result === 0) return f.returns(f.get(v.left) - f.get(v.count));",
      "if (f.result === 0) return f.returns(f.get(v.left) - f.get(v.count) + 1);",
    ],
    ["vmm/virtio-mem-device.ts", "if (beyondTarget) return NACK;"],
    "held in grow-shrink, replug and two-blocks: the device refuses what goes beyond its target, and -EAGAIN has the driver look again, by when nothing is left to do. A device that acknowledges it gets the surplus back at the next change",
  ),
  mutant(
    "unplug-all-reads-no-configuration",
    "linux/virtio-mem/request.ts",
    ["vm.words[VM.PLUGGED] = 0;\n      vm.words[VM.CONFIG_CHANGED] = 1;", "vm.words[VM.PLUGGED] = 0;"],
    ["linux/virtio-mem/probe.ts", "words[VM.CONFIG_CHANGED] = 1;"],
    "held in every configuration: UNPLUG_ALL is due after a probe only, which asks for the configuration itself, and the same run reads it behind the request. One that was BUSY at first would leave the usable region stale, which shrinks only where a device has more than 256 MiB",
  ),
  mutant(
    "tide-region-rounds-up",
    "designs/tide/units.ts",
    [
      "Math.floor((start + size - table.physBase) / table.unitSize)",
      "Math.ceil((start + size - table.physBase) / table.unitSize)",
    ],
    ["designs/bitmaps/plugged-bits.ts", "size % table.unitSize === 0 &&"],
    "held in kexec-odd-region, with as many states as without: no plugged bit is ever set for a part of a unit, and what is given back, forgotten or hidden is what has one. Blocks and requests are whole units",
  ),
  mutant(
    "convert-stops-after-a-unit",
    "vmm/convert.ts",
    ["    f.set(c.v.from, f.get(c.v.next));\n    return c.at.unit;", "    return f.returns(DONE);"],
    ["vmm/vmcall.ts", "const to = Math.min(end, next + MAP_GPA_PIECE);"],
    "held in kexec-no-release and dimm-no-release: MapGPA is cut into pieces of 2 MiB, so that a piece reaches into a second unit only if the range does not begin with one. Every range that a design converts does",
  ),
  mutant(
    "unplug-changes-are-not-noted",
    "vmm/requests.ts",
    [
      "k.noteChanged(start, start + f.get(r.v.pages));",
      "if (f.get(r.v.type) === PLUG) k.noteChanged(start, start + f.get(r.v.pages));",
    ],
    ["check/machine/rest-look.ts", "watch!.checkRange(range);"],
    "held in replug and grow-shrink, with as many states as without: it changes what the rules are asked to look at after a step, and no memory. At rest they look at all of it; that a mistake between an unplug and the next rest would be told later is all",
  ),
  mutant(
    "release-of-pending-succeeds",
    "tdx-module/tdg/mem-page-release.ts",
    [
      "if (sept.stateHere !== SEPT_MAPPED || sept.level !== level)",
      "if ((sept.stateHere !== SEPT_MAPPED && sept.stateHere !== SEPT_PENDING) || sept.level !== level)",
    ],
    [
      "designs/tide/leave.ts",
      "const first = findNextOnlyFirst(table.plugged!, table.unaccepted, end, f.get(v.next));",
    ],
    "held in release-fails and unplug-busy, with as many states as without, in grow-shrink of callbacks and in the scenarios that release: the page stays as it was, and only who releases what was never accepted would be told otherwise. tide and bitmaps release what their bits call accepted, callbacks what it accepted at the plug",
  ),
  mutant(
    "tide-leave-looks-at-a-run-again",
    "designs/tide/leave.ts",
    ["    f.set(v.next, f.get(v.stop));\n", ""],
    ["designs/tide/leave.ts", "if (f.result !== 0) k.table!.markUnaccepted(f.get(v.next), f.get(v.stop));"],
    "held in grow-shrink and shrink-two-blocks, with as many states as without: the units that were given back are marked unaccepted, and the look for the next run passes over them",
  ),
];
