import { formatAddress, formatRange, formatSize } from "../quantity.ts";
import type { DeviceState } from "../world.ts";
import { hotplugOwners } from "./areas.ts";
import { type Finding, type Pair, type Quantity, unlessSame } from "./quantity.ts";
import type { Sight } from "./sight.ts";

const idsOf = ({ model, linux }: Pair): string[] => [
  ...new Set([...model.devices, ...linux.devices].map(({ id }) => id)),
];

const deviceIn = (sight: Sight, id: string): DeviceState | undefined =>
  sight.devices.find((device) => device.id === id);

const isShrinking = (device: DeviceState | undefined): boolean =>
  device !== undefined && device.plugged > device.requested;

/** Whether a device has still to give memory back in one of the worlds: how soon it can is not a matter of rules. */
export const shrinks = ({ model, linux }: Pair, id: string): boolean =>
  isShrinking(deviceIn(model, id)) || isShrinking(deviceIn(linux, id));

/** Whether any device does. */
export const anyShrinks = (pair: Pair): boolean => idsOf(pair).some((id) => shrinks(pair, id));

/** Whether an address belongs to a device that still shrinks. */
export const liesInShrinking = (pair: Pair, at: number): boolean =>
  pair.model.devices.some(({ id, start, size }) => start <= at && at < start + size && shrinks(pair, id));

/** Compares one thing of each device that both worlds have. */
const perDevice =
  (show: (device: DeviceState) => string, when: (pair: Pair, id: string) => boolean = () => true) =>
  (pair: Pair): Finding[] =>
    idsOf(pair).flatMap((id) => {
      const [model, linux] = [deviceIn(pair.model, id), deviceIn(pair.linux, id)];
      if (model === undefined || linux === undefined || !when(pair, id)) return [];
      return unlessSame(id, show(model), show(linux));
    });

/** Start of the memory that comes and goes; undefined if the machine has no place for any. */
const windowStart = ({ model, linux }: Pair): number | undefined => {
  const owners = hotplugOwners(model, linux);
  const starts = model.map.filter(({ owner }) => owners.includes(owner)).map(({ start }) => start);
  return starts.length === 0 ? undefined : Math.min(...starts);
};

const RESOURCE = /^\s*([0-9a-f]+)-([0-9a-f]+) : (System RAM.*)$/;

/** Lines of /proc/iomem that name memory in use by the kernel, behind the boot memory. */
const ramLines = (pair: Pair, { iomem }: Sight): Map<string, string> => {
  const from = windowStart(pair) ?? Number.POSITIVE_INFINITY;
  const lines = new Map<string, string>();
  for (const line of iomem) {
    const found = RESOURCE.exec(line);
    if (found === null) continue;
    const start = Number.parseInt(found[1]!, 16);
    const end = Number.parseInt(found[2]!, 16) + 1;
    if (start >= from && !liesInShrinking(pair, start)) lines.set(formatRange(start, end), found[3]!);
  }
  return lines;
};

const compareIomem = (pair: Pair): Finding[] => {
  const [model, linux] = [ramLines(pair, pair.model), ramLines(pair, pair.linux)];
  const ranges = [...new Set([...model.keys(), ...linux.keys()])].sort();
  return ranges.flatMap((range) =>
    unlessSame(range, model.get(range) ?? "no such line", linux.get(range) ?? "no such line"),
  );
};

/** What the VMM's devices are, and what the kernel has made of them. */
export const DEVICE_QUANTITIES: readonly Quantity[] = [
  {
    name: "device",
    bound: 0,
    compare: (pair) =>
      idsOf(pair).flatMap((id) =>
        unlessSame(id, deviceIn(pair.model, id)?.kind ?? "none", deviceIn(pair.linux, id)?.kind ?? "none"),
      ),
  },
  { name: "device's place", bound: 0, compare: perDevice(({ start }) => formatAddress(start)) },
  { name: "device's size", bound: 0, compare: perDevice(({ size }) => formatSize(size)) },
  { name: "requested size", bound: 0, compare: perDevice(({ requested }) => formatSize(requested)) },
  {
    name: "plugged size",
    bound: 0,
    compare: perDevice(
      ({ plugged }) => formatSize(plugged),
      (pair, id) => !shrinks(pair, id),
    ),
  },
  { name: "System RAM of /proc/iomem", bound: 0, compare: compareIomem },
];
