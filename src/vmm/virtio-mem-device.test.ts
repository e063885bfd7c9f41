import fc from "fast-check";
import { expect, it } from "vitest";
import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import {
  VIRTIO_MEM_RESPONSE,
  VIRTIO_MEM_STATE,
  virtioMemResponseName,
  virtioMemStateName,
} from "../abi/virtio-mem/response.ts";
import { GIB, gpa, MIB } from "../units.ts";
import { NO_REPLY, PROCEED, VirtioMemDevice } from "./virtio-mem-device.ts";

const d = { ...VIRTIO_MEM_REQUEST, ...VIRTIO_MEM_RESPONSE, ...VIRTIO_MEM_STATE };

const BASE = 4 * GIB;
const device = (requestedSize = 0): VirtioMemDevice =>
  new VirtioMemDevice({ id: "vm0", size: 2 * GIB, memaddr: gpa(BASE), requestedSize });

/** Checks and, if nothing speaks against it, commits: what the device answers when giving back never fails. */
const ask = (device: VirtioMemDevice, type: number, addr = 0, count = 0): number => {
  const answer = device.check(type, addr, count);
  if (answer !== PROCEED) return answer;
  device.commit(type, addr, count);
  return d.ACK;
};

/** One row a step: request, MiB from the base, blocks, answer; or a host action; then plugged and usable MiB. */
const replay = (device: VirtioMemDevice, transcript: string): string => {
  const rows = transcript.trim().split("\n");
  return rows.map((row) => oneRow(device, row.trim().split(/\s+/))).join("\n");
};

const oneRow = (device: VirtioMemDevice, [what, at, count]: string[]): string => {
  const sizes = (): string => `plugged ${device.pluggedSize / MIB} usable ${device.usableRegionSize / MIB}`;
  if (what === "requested") {
    device.setRequestedSize(Number(at) * MIB);
    return `requested ${at} ${sizes()}`;
  }
  if (what === "device-reset") {
    device.deviceReset();
    return `device-reset ${sizes()}`;
  }
  const type = VIRTIO_MEM_REQUEST[what as keyof typeof VIRTIO_MEM_REQUEST];
  const answer = ask(device, type, BASE + Number(at) * MIB, Number(count));
  return `${what} ${at} ${count} ${text(type, answer)} ${sizes()}`;
};

const text = (type: number, answer: number): string =>
  type === d.STATE && answer % 256 === d.ACK
    ? virtioMemStateName(answer >> 8)
    : virtioMemResponseName(answer);

const rule = (name: string, start: number, transcript: string): void =>
  it(name, () => {
    const lines = transcript.trim().replace(/^ +/gm, "").replace(/ +/g, " ");
    expect(replay(device(start * MIB), transcript)).toBe(lines);
  });

rule(
  "answers what QEMU 7.2 answered, from an unset target to a full region",
  0,
  `
  PLUG        0   1    ERROR      plugged 0 usable 0
  UNPLUG_ALL  0   0    ACK        plugged 0 usable 0
  requested   64                  plugged 0 usable 320
  STATE       0   1    UNPLUGGED  plugged 0 usable 320
  STATE       318 1    UNPLUGGED  plugged 0 usable 320
  STATE       320 1    ERROR      plugged 0 usable 320
  PLUG        1   1    ERROR      plugged 0 usable 320
  PLUG        0   0    ERROR      plugged 0 usable 320
  PLUG        -2  1    ERROR      plugged 0 usable 320
  PLUG        320 1    ERROR      plugged 0 usable 320
  PLUG        318 2    ERROR      plugged 0 usable 320
  PLUG        0   33   NACK       plugged 0 usable 320
  PLUG        300 40   ERROR      plugged 0 usable 320
  PLUG        0   16   ACK        plugged 32 usable 320
  PLUG        0   16   ERROR      plugged 32 usable 320
  PLUG        30  2    ERROR      plugged 32 usable 320
  STATE       0   17   MIXED      plugged 32 usable 320
  STATE       0   16   PLUGGED    plugged 32 usable 320
  PLUG        64  16   ACK        plugged 64 usable 320
  PLUG        32  1    NACK       plugged 64 usable 320
  PLUG        0   1    NACK       plugged 64 usable 320
  requested   16                  plugged 64 usable 320
  UNPLUG      32  1    ERROR      plugged 64 usable 320
  UNPLUG      30  2    ERROR      plugged 64 usable 320
  UNPLUG      64  16   ACK        plugged 32 usable 320
  requested   0                   plugged 32 usable 320
  UNPLUG      30  1    ACK        plugged 30 usable 320
  PLUG        30  1    NACK       plugged 30 usable 320
  UNPLUG_ALL  0   0    ACK        plugged 0 usable 0
  STATE       0   1    ERROR      plugged 0 usable 0
  requested   2048                plugged 0 usable 2048
  PLUG        0   1024 ACK        plugged 2048 usable 2048
  requested   128                 plugged 2048 usable 2048
  device-reset                    plugged 2048 usable 2048
`,
);

it("moves the generation with every write of the target and with nothing else", () => {
  const vm0 = device();
  vm0.setRequestedSize(64 * MIB);
  ask(vm0, d.PLUG, BASE, 4);
  ask(vm0, d.UNPLUG, BASE, 4);
  vm0.setRequestedSize(64 * MIB);
  expect(vm0.generation).toBe(2);
});

it("stops at a type it does not know until the driver resets it", () => {
  const vm0 = device(64 * MIB);
  expect(ask(vm0, 9, BASE, 1)).toBe(NO_REPLY);
  expect([vm0.needsReset, ask(vm0, d.PLUG, BASE, 1)]).toEqual([true, NO_REPLY]);
  vm0.deviceReset();
  expect(ask(vm0, d.PLUG, BASE, 1)).toBe(d.ACK);
});

it("answers BUSY while migrating, except to STATE and to requests it must refuse", () => {
  const vm0 = device(64 * MIB);
  ask(vm0, d.PLUG, BASE, 1);
  vm0.migrating = true;
  const answers = [d.PLUG, d.UNPLUG, d.UNPLUG_ALL].map((type) =>
    ask(vm0, type, type === d.PLUG ? BASE + 2 * MIB : BASE, 1),
  );
  expect(answers).toEqual([d.BUSY, d.BUSY, d.BUSY]);
  expect(ask(vm0, d.PLUG, BASE, 1)).toBe(d.ERROR);
  expect(ask(vm0, d.STATE, BASE, 1)).toBe(d.ACK | (d.PLUGGED << 8));
});

it("gives arranged answers in order, to requests that would have succeeded", () => {
  const vm0 = device(64 * MIB);
  vm0.injection.arrange(d.PLUG, d.BUSY, 2);
  vm0.injection.arrange(d.PLUG, d.ERROR, 1);
  expect(ask(vm0, d.PLUG, BASE + 1, 1)).toBe(d.ERROR);
  expect([1, 2, 3, 4].map(() => ask(vm0, d.PLUG, BASE, 1))).toEqual([d.BUSY, d.BUSY, d.ERROR, d.ACK]);
});

it("follows Cloud Hypervisor where that differs: target before range, ERROR instead of BUSY and silence", () => {
  const vm0 = new VirtioMemDevice({
    id: "vm0",
    size: GIB,
    memaddr: gpa(BASE),
    usable: "region",
    dialect: "cloud-hypervisor",
    requestedSize: 4 * MIB,
  });
  expect([ask(vm0, d.PLUG, BASE + MIB, 3), ask(vm0, d.PLUG, BASE + MIB, 1)]).toEqual([d.NACK, d.ERROR]);
  expect([ask(vm0, d.PLUG, BASE, 2), ask(vm0, 9), vm0.needsReset]).toEqual([d.ACK, d.ERROR, false]);
  vm0.migrating = true;
  expect(ask(vm0, d.UNPLUG, BASE, 2)).toBe(d.ERROR);
});

it("makes the whole region usable from the start where the VMM does so", () => {
  const vm0 = new VirtioMemDevice({
    id: "vm0",
    size: GIB,
    memaddr: gpa(BASE),
    usable: "region",
    requestedSize: 2 * MIB,
  });
  expect(vm0.usableRegionSize).toBe(GIB);
});

it.each([
  ["vm0 requested-size", { requestedSize: 3 * MIB }],
  ["vm0 requested-size", { requestedSize: 4 * GIB }],
  ["vm0 block-size", { blockSize: 3 * MIB }],
  ["vm0 block-size", { blockSize: MIB / 2 }],
  ["vm0 memory backend size", { size: GIB + MIB }],
  ["vm0 memaddr", { memaddr: gpa(MIB) }],
])("refuses a wrong %s", (what, wrong) => {
  const right = { id: "vm0", size: 2 * GIB, memaddr: gpa(BASE) };
  expect(() => new VirtioMemDevice({ ...right, ...wrong })).toThrow(
    expect.objectContaining({ name: "VmmError", what }),
  );
});

it.each([3 * MIB, 4 * GIB, -2 * MIB, 0.5, Number.NaN])(
  "refuses %d as a target and keeps the old one",
  (bytes) => {
    const vm0 = device(64 * MIB);
    expect(() => vm0.setRequestedSize(bytes)).toThrow("vm0 requested-size");
    expect([vm0.requestedSize, vm0.generation]).toEqual([64 * MIB, 0]);
  },
);

/** The same rules written the slow way, over a set of block numbers. */
class NaiveDevice {
  readonly plugged = new Set<number>();
  usable = 0;
  requested = 0;
  readonly blocks: number;

  constructor(blocks: number) {
    this.blocks = blocks;
  }

  setRequested(blocks: number): void {
    this.requested = blocks;
    this.usable = Math.max(this.usable, this.wanted());
  }

  wanted(): number {
    return this.requested === 0 ? 0 : Math.min(this.blocks, this.requested + 128);
  }

  ask(type: number, first: number, count: number): string {
    const all = Array.from({ length: count }, (_, i) => first + i);
    if (type === d.UNPLUG_ALL) {
      this.plugged.clear();
      this.usable = this.wanted();
      return "ACK";
    }
    if (count === 0 || all.some((b) => !Number.isInteger(b) || b < 0 || b >= this.usable)) return "ERROR";
    const here = all.filter((b) => this.plugged.has(b)).length;
    if (type === d.STATE) return here === count ? "PLUGGED" : here === 0 ? "UNPLUGGED" : "MIXED";
    if (type === d.PLUG && this.plugged.size + count > this.requested) return "NACK";
    if (here !== (type === d.PLUG ? 0 : count)) return "ERROR";
    for (const b of all) type === d.PLUG ? this.plugged.add(b) : this.plugged.delete(b);
    return "ACK";
  }
}

it("agrees with the rules written the slow way, over any run of requests", () => {
  const step = fc.oneof(
    { weight: 1, arbitrary: fc.record({ requested: fc.integer({ min: 0, max: 256 }) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.integer({ min: 0, max: 3 }),
        half: fc.integer({ min: -4, max: 530 }),
        count: fc.integer({ min: 0, max: 40 }),
      }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const real = new VirtioMemDevice({ id: "vm0", size: 512 * MIB, memaddr: gpa(BASE) });
      const naive = new NaiveDevice(256);
      for (const s of steps) {
        if ("requested" in s) {
          real.setRequestedSize(s.requested * 2 * MIB);
          naive.setRequested(s.requested);
          continue;
        }
        const answer = ask(real, s.type, BASE + s.half * MIB, s.count);
        expect(text(s.type, answer)).toBe(naive.ask(s.type, s.half / 2, s.count));
        expect(real.pluggedSize).toBe(naive.plugged.size * 2 * MIB);
        expect(real.usableRegionSize).toBe(naive.usable * 2 * MIB);
      }
    }),
  );
});
