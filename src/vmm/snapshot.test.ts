import { expect, it } from "vitest";
import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import { MIB } from "../units.ts";
import { plugDimm } from "./dimm.ts";
import { loadVmm, saveVmm } from "./snapshot.ts";
import { Bench, WINDOW } from "./testing/bench.ts";

const bench = (): Bench =>
  new Bench({
    virtioMem: [{ id: "vm0", size: 32 * MIB, requestedSize: 32 * MIB }],
    backends: [{ id: "m1", size: 8 * MIB }],
    policy: { augSize: "4K" },
  });

it("comes back from its bytes, whatever happened in between", () => {
  const b = bench();
  b.ask(VIRTIO_MEM_REQUEST.PLUG, 0, 4);
  b.touch(WINDOW);
  b.touch(WINDOW + 600);
  plugDimm(b.vmm, { memdev: "m1" }, true);
  const saved = saveVmm(b.vmm);
  b.ask(VIRTIO_MEM_REQUEST.PLUG, 2048, 4);
  for (let frame = 0; frame < 3000; frame += 100) b.touch(frame);
  b.vmm.setRequestedSize(0, 0);
  expect(saveVmm(b.vmm)).not.toEqual(saved);
  loadVmm(b.vmm, saved);
  expect(saveVmm(b.vmm)).toEqual(saved);
  expect([b.vmm.use.privateBytes, b.vmm.devices[0]!.pluggedSize, b.vmm.pieceOf(0).mapped.count]).toEqual([
    8192,
    8 * MIB,
    0,
  ]);
});

it("knows which mappings were large", () => {
  const b = new Bench();
  const before = saveVmm(b.vmm);
  b.touch(5);
  const after = saveVmm(b.vmm);
  loadVmm(b.vmm, before);
  expect(b.vmm.pieceOf(0).isHuge(0)).toBe(false);
  loadVmm(b.vmm, after);
  expect(b.vmm.pieceOf(0).isHuge(0)).toBe(true);
});

it("fits another VMM of the same configuration", () => {
  const b = bench();
  b.touch(5);
  const twin = bench();
  loadVmm(twin.vmm, saveVmm(b.vmm));
  expect([twin.vmm.use.privateBytes, twin.vmm.pieceOf(0).backed.has(5)]).toEqual([4096, true]);
});
