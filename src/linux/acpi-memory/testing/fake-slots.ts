import type { AcpiMemoryPort } from "../../boundary.ts";

interface Dimm {
  start: number;
  size: number;
  node: number;
  enabled: boolean;
  insert: boolean;
  remove: boolean;
}

/** The register block of memory hotplug with QEMU's rules; keeps _OST and ejects as text. */
export class FakeSlots implements AcpiMemoryPort {
  readonly slots: number;
  readonly log: string[] = [];
  /** While true an eject does nothing, as a VMM that fails to unplug. */
  stuck = false;
  /** Slots whose _STA was run, in order. It reads the flags right behind the proximity. */
  readonly statuses: number[] = [];
  /** Which runs of _STA say that the DIMM is absent, counted from 0. */
  lies: readonly number[] = [];
  private before = -1;
  private readonly dimms: Dimm[];
  private selected = 0;
  private event = 0;

  constructor(slots: number) {
    this.slots = slots;
    this.dimms = Array.from({ length: slots }, () => ({
      start: 0,
      size: 0,
      node: 0,
      enabled: false,
      insert: false,
      remove: false,
    }));
  }

  plug(slot: number, start: number, size: number, node = 0): void {
    this.dimms[slot] = { start, size, node, enabled: true, insert: true, remove: false };
  }
  requestEject(slot: number): void {
    this.dimms[slot]!.remove = true;
  }
  present(slot: number): boolean {
    return this.dimms[slot]!.enabled;
  }

  read(offset: number): number {
    const dimm = this.dimms[this.selected];
    const isStatus = offset === 20 && this.before === 16;
    this.before = offset;
    if (dimm === undefined) return 0;
    if (isStatus && this.lies.includes(this.statuses.push(this.selected) - 1)) return 0;
    const bits = (dimm.enabled ? 1 : 0) | (dimm.insert ? 2 : 0) | (dimm.remove ? 4 : 0);
    const words: Readonly<Record<number, number>> = {
      0: dimm.start % 2 ** 32,
      4: Math.floor(dimm.start / 2 ** 32),
      8: dimm.size % 2 ** 32,
      12: Math.floor(dimm.size / 2 ** 32),
      16: dimm.node,
      20: bits,
    };
    return words[offset] ?? 0;
  }

  write(offset: number, _width: 1 | 2 | 4, value: number): void {
    if (offset === 0) this.selected = value;
    const dimm = this.dimms[this.selected];
    if (dimm === undefined) return;
    if (offset === 4) this.event = value;
    if (offset === 8) this.log.push(`slot ${this.selected} OST ${this.event} 0x${value.toString(16)}`);
    if (offset !== 0x14) return;
    if ((value & 2) !== 0) dimm.insert = false;
    else if ((value & 4) !== 0) dimm.remove = false;
    else if ((value & 8) !== 0 && dimm.enabled && !this.stuck) {
      this.log.push(`slot ${this.selected} EJECT`);
      Object.assign(dimm, { start: 0, size: 0, node: 0, enabled: false });
    }
  }
}
