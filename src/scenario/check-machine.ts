import { MEMMAP_LIMIT } from "../linux/mem-map.ts";
import { BACKEND_LIMIT } from "../vmm/guest-memfd.ts";
import { ADDRESS_LIMIT, formatRange, formatSize } from "./quantity.ts";
import type { AddressRange, DimmSpec, MachineSpec, VirtioMemSpec } from "./scenario.ts";
import { type Path, pathText, type Refusal, ScenarioError } from "./scenario-error.ts";
import type { Source } from "./yaml-tree.ts";

/** Throws a refusal of the value at `path`. */
export type Refuse = (path: Path, refusal: Refusal) => never;

export const refuserOf =
  (source: Source): Refuse =>
  (path, refusal) => {
    throw new ScenarioError(source.placeOf(path), pathText(path), refusal);
  };

/** Rules of the machine that span more than one field. They are the VMM's own: it would not start either. */
export const checkMachine = (machine: MachineSpec, refuse: Refuse): void => {
  checkAmounts(machine, refuse);
  checkLayout(machine, refuse);
  checkNodes(machine, refuse);
  checkIds(machine, refuse);
  machine.virtioMem.forEach((device, i) => {
    checkVirtioMem(device, ["machine", "virtioMem", i], refuse);
  });
  checkRoom(machine, refuse);
};

/** Memory up to which the machine is modelled. */
const checkAmounts = ({ memory, dimms, virtioMem }: MachineSpec, refuse: Refuse): void => {
  checkAmount(memory, ["machine", "memory"], refuse);
  dimms.forEach(({ size }, i) => {
    checkAmount(size, ["machine", "dimms", i, "size"], refuse);
  });
  const all = memory + sum(dimms);
  if (all >= MEMMAP_LIMIT) {
    const expected = `less than ${formatSize(MEMMAP_LIMIT)} with the RAM, the most that is modelled`;
    refuse(["machine", "dimms"], { expected, found: formatSize(all), advice: "" });
  }
  virtioMem.forEach(({ size }, i) => {
    if (size < BACKEND_LIMIT) return;
    const expected = `a region of less than ${formatSize(BACKEND_LIMIT)}, the most that is modelled`;
    refuse(["machine", "virtioMem", i, "size"], { expected, found: formatSize(size), advice: "" });
  });
};

/** Refuses more memory than a guest can have, at boot or plugged at once. */
export const checkAmount = (bytes: number, path: Path, refuse: Refuse): void => {
  if (bytes < MEMMAP_LIMIT) return;
  const expected = `less than ${formatSize(MEMMAP_LIMIT)}, the most that is modelled`;
  refuse(path, { expected, found: formatSize(bytes), advice: "" });
};

const checkLayout = ({ layout, memory }: MachineSpec, refuse: Refuse): void => {
  if (layout === "q35") return;
  let total = 0;
  let before: AddressRange = { start: 0, end: 0 };
  for (const [i, range] of layout.entries()) {
    const path = ["machine", "layout", i];
    const found = formatRange(range.start, range.end);
    if (range.end > ADDRESS_LIMIT) refuse(path, { expected: "RAM below 4P", found, advice: "" });
    if (range.start < before.end) {
      const advice = "sort the ranges by address";
      refuse(path, { expected: `RAM above ${formatRange(before.start, before.end)}`, found, advice });
    }
    total += range.end - range.start;
    before = range;
  }
  if (total !== memory) {
    const expected = `ranges that add up to memory (${formatSize(memory)})`;
    refuse(["machine", "layout"], { expected, found: formatSize(total), advice: "" });
  }
};

const checkNodes = (machine: MachineSpec, refuse: Refuse): void => {
  const check = (node: number, path: Path): void => {
    if (node < machine.nodes) return;
    const advice = "raise machine.nodes";
    refuse(path, { expected: `a node below ${machine.nodes}`, found: `${node}`, advice });
  };
  machine.virtioMem.forEach(({ node }, i) => {
    check(node, ["machine", "virtioMem", i, "node"]);
  });
  machine.dimms.forEach(({ node }, i) => {
    check(node, ["machine", "dimms", i, "node"]);
  });
  if (machine.layout === "q35") return;
  machine.layout.forEach(({ node }, i) => {
    check(node, ["machine", "layout", i, "node"]);
  });
};

const checkIds = ({ virtioMem, dimms }: MachineSpec, refuse: Refuse): void => {
  const seen = new Set<string>();
  const check = (id: string, path: Path): void => {
    if (seen.has(id)) refuse(path, { expected: "an id of its own", found: `\`${id}\` again`, advice: "" });
    seen.add(id);
  };
  virtioMem.forEach(({ id }, i) => {
    check(id, ["machine", "virtioMem", i, "id"]);
  });
  dimms.forEach(({ id }, i) => {
    check(id, ["machine", "dimms", i, "id"]);
  });
};

const checkVirtioMem = (device: VirtioMemSpec, path: Path, refuse: Refuse): void => {
  const { size, blockSize, requestedSize, memaddr } = device;
  const expected = `a multiple of blockSize (${formatSize(blockSize)})`;
  const found = (bytes: number): string => formatSize(bytes);
  if (size % blockSize !== 0) refuse([...path, "size"], { expected, found: found(size), advice: "" });
  checkRequested(device, requestedSize, [...path, "requestedSize"], refuse);
  if (memaddr !== null && memaddr % blockSize !== 0) {
    refuse([...path, "memaddr"], { expected, found: formatRange(memaddr, memaddr + size), advice: "" });
  }
  if (memaddr !== null && memaddr + size > ADDRESS_LIMIT) {
    const region = formatRange(memaddr, memaddr + size);
    refuse([...path, "memaddr"], { expected: "a region below 4P", found: region, advice: "" });
  }
};

/** A requested size that QEMU would refuse. */
export const checkRequested = (device: VirtioMemSpec, to: number, path: Path, refuse: Refuse): void => {
  const found = formatSize(to);
  if (to > device.size) {
    const expected = `at most the size of ${device.id} (${formatSize(device.size)})`;
    refuse(path, { expected, found, advice: "ask for less or enlarge the device" });
  }
  if (to % device.blockSize !== 0) {
    const expected = `a multiple of the blockSize of ${device.id} (${formatSize(device.blockSize)})`;
    refuse(path, { expected, found, advice: "" });
  }
};

const sum = (specs: readonly (DimmSpec | VirtioMemSpec)[]): number =>
  specs.reduce((bytes, { size }) => bytes + size, 0);

const checkRoom = ({ memory, maxmem, slots, dimms, virtioMem }: MachineSpec, refuse: Refuse): void => {
  const needed = memory + sum(dimms) + sum(virtioMem);
  if (maxmem > ADDRESS_LIMIT / 2) {
    refuse(["machine", "maxmem"], { expected: "at most 2P", found: formatSize(maxmem), advice: "" });
  }
  if (maxmem < needed) {
    const expected = `at least ${formatSize(needed)}, for memory and its devices`;
    refuse(["machine", "maxmem"], {
      expected,
      found: formatSize(maxmem),
      advice: "raise it or leave it out",
    });
  }
  if (slots < dimms.length) {
    const expected = `at least ${dimms.length}, one for each DIMM`;
    refuse(["machine", "slots"], { expected, found: `${slots}`, advice: "raise it or leave it out" });
  }
};
