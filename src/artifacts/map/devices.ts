import type { FactKind, FactOf, Place, Range } from "../facts.ts";

type Of = <K extends FactKind>(kind: K) => readonly FactOf<K>[];

/** A memory device by its last known state. */
export interface SurveyedDevice {
  readonly id: string;
  readonly type: string;
  /** Where it is: a DIMM's own bytes, a virtio-mem device's region. */
  readonly range: Range;
  /** Bytes that are plugged. */
  readonly size: number;
  /** virtio-mem: the host's target. */
  readonly requested: number | undefined;
  readonly blockSize: number | undefined;
  readonly node: number | undefined;
  readonly slot: number | undefined;
  readonly at: Place;
}

/** What a VMM said, with later size changes and requests applied. */
const fromVmm = (of: Of): SurveyedDevice[] => {
  const byId = new Map<string, SurveyedDevice>();
  const before = (a: Place, b: Place): boolean => a.source === b.source && (a.line ?? 0) < (b.line ?? 0);
  for (const { at, ...device } of of("memory-device")) {
    const { id, type, addr, size, maxSize, requested, blockSize, node, slot } = device;
    const range = { start: addr, end: addr + (maxSize ?? size) };
    byId.set(id, { id, type, range, size, requested, blockSize, node, slot, at });
  }
  for (const { id, bytes, at } of of("device-size")) {
    const device = byId.get(id);
    if (device !== undefined && before(device.at, at)) byId.set(id, { ...device, size: bytes });
  }
  for (const { id, bytes, refused, at } of of("device-request")) {
    const device = byId.get(id);
    if (device !== undefined && refused === undefined && before(device.at, at))
      byId.set(id, { ...device, requested: bytes });
  }
  for (const { id, at } of of("device-deleted")) {
    const device = byId.get(id);
    if (device !== undefined && before(device.at, at)) byId.delete(id);
  }
  return [...byId.values()];
};

/** What the guest's driver said when it started and at each change. */
const fromDriver = (of: Of): SurveyedDevice[] => {
  const byName = new Map<string, { readonly fields: Map<string, number>; readonly at: Place }>();
  for (const { device, field, value, at } of of("virtio-mem")) {
    const known = byName.get(device) ?? { fields: new Map(), at };
    known.fields.set(field, value);
    byName.set(device, known);
  }
  return [...byName].flatMap(([id, { fields, at }]) => {
    const start = fields.get("start address");
    const bytes = fields.get("region size");
    if (start === undefined || bytes === undefined) return [];
    return [
      {
        id,
        type: "virtio-mem",
        range: { start, end: start + bytes },
        size: fields.get("plugged size") ?? 0,
        requested: fields.get("requested size"),
        blockSize: fields.get("device block size"),
        node: fields.get("nid"),
        slot: undefined,
        at,
      },
    ];
  });
};

/** The memory devices. Where VMM and guest speak of the same one, the VMM's word counts. */
export const devicesOf = (of: Of): SurveyedDevice[] => {
  const vmm = fromVmm(of);
  const driver = fromDriver(of).filter(
    ({ range }) => !vmm.some((device) => device.range.start === range.start),
  );
  return [...vmm, ...driver].sort((a, b) => a.range.start - b.range.start);
};
