import { VmmError } from "../vmm/vmm-error.ts";
import type { Refuse } from "./check-machine.ts";
import { layoutOf } from "./machine-layout.ts";
import { formatRange } from "./quantity.ts";
import type { AddressRange, MachineSpec } from "./scenario.ts";
import type { Path } from "./scenario-error.ts";

/** Ranges of RAM that a message names. */
const MOST_NAMED = 4;

/** Refuses what the firmware says of memory that the machine does not have: it would go unheard. */
export const checkFirmware = (machine: MachineSpec, refuse: Refuse): void => {
  const { unaccepted, efiMemoryMap } = machine.firmware;
  const path = ["machine", "firmware"];
  const ram = ramOf(machine, refuse);
  if (typeof unaccepted !== "string") checkInRam(unaccepted, ram, [...path, "unaccepted"], refuse);
  checkInRam(efiMemoryMap, ram, [...path, "efiMemoryMap"], refuse);
};

const ramOf = (machine: MachineSpec, refuse: Refuse): readonly AddressRange[] => {
  try {
    return layoutOf(machine).ram.map(({ start, size }) => ({ start, end: start + size }));
  } catch (error) {
    if (!(error instanceof VmmError)) throw error;
    return refuse(["machine"], {
      expected: "a machine that can be started",
      found: error.message,
      advice: "",
    });
  }
};

const checkInRam = (
  ranges: readonly AddressRange[],
  ram: readonly AddressRange[],
  path: Path,
  refuse: Refuse,
): void => {
  for (const [i, { start, end }] of ranges.entries()) {
    const covered = ram.reduce(
      (bytes, one) => bytes + Math.max(0, Math.min(end, one.end) - Math.max(start, one.start)),
      0,
    );
    if (covered === end - start) continue;
    const there = ram.slice(0, MOST_NAMED).map((one) => formatRange(one.start, one.end));
    const more = ram.length > MOST_NAMED ? " ..." : "";
    refuse([...path, i], {
      expected: `a range of RAM (${there.join(", ")}${more})`,
      found: formatRange(start, end),
      advice: "",
    });
  }
};
