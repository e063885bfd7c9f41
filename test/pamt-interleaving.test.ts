import fc from "fast-check";
import { expect, it } from "vitest";
import { SEPT_FREE } from "../src/abi/tdx/sept-entry.ts";
import type { Frame } from "../src/flat/procedure.ts";
import { DynamicPamt } from "../src/tdx-host/dynamic-pamt.ts";
import { enableTdxNow } from "../src/tdx-host/init-module.ts";
import { TdMemory } from "../src/tdx-host/td-memory.ts";
import { hostRig } from "../src/tdx-host/testing/host-rig.ts";
import { MODELLED_FEATURES } from "../src/tdx-module/module.ts";
import { VM_END } from "../src/vmm/events.ts";
import type { VmmPolicy } from "../src/vmm/policy.ts";
import { TdxBench } from "../src/vmm/testing/tdx-bench.ts";
import type { Vmm } from "../src/vmm/vmm.ts";
import { zap } from "../src/vmm/zap.ts";

const GIB = 2 ** 30;
const BLOCK_PAGES = 512;
/** The host's memory ends at 10 GiB. */
const HOST_PAGES = (10 * GIB) / 4096;
/** Random histories that a run of this test tries. */
const RUNS = 60;
/** Units of the RAM that they are about. */
const UNITS = 3;
/** Frees what is private, as an unplug does. */
const FREE_PRIVATE = 1;

/** A VMM on a host with dynamic PAMT, and its count of TDX's pages. */
const dynamicBench = (policy: Partial<VmmPolicy>) => {
  const host = hostRig({ features: [...MODELLED_FEATURES, "DYNAMIC_PAMT"], policy: { dynamicPamt: true } });
  expect(enableTdxNow(host)).toBe(0);
  const memory = new TdMemory(host.pages);
  const pairs = new DynamicPamt(host.module, memory);
  const takeFrame = (): number => {
    const frame = memory.takeFrame();
    pairs.get(frame);
    return frame;
  };
  const range = { base: 0, size: 16 * GIB, lender: memory };
  const bench = new TdxBench({ policy, pairs, host: range }, false, { module: host.module, takeFrame });
  return { bench, pairs };
};

/** Every block has a pair as long as TDX has a 4 KiB page in it, and no longer. */
const checkPairs = ({ bench, pairs }: ReturnType<typeof dynamicBench>): void => {
  const { pamt, pairs: inModule } = bench.module;
  const wrong: number[] = [];
  for (let block = 0; block < HOST_PAGES; block += BLOCK_PAGES) {
    const used = pamt.usesSmallPages(block);
    if (pairs.has(block) !== used || inModule?.has(block) !== used) wrong.push(block);
  }
  expect(wrong).toEqual([]);
};

/** Few pages of few units, so that threads meet. */
const page = fc
  .record({ unit: fc.nat(UNITS - 1), at: fc.constantFrom(0, 1, 8, 511) })
  .map(({ unit, at }) => unit * BLOCK_PAGES + at);
const vcpu = fc.nat(1);
const act = fc.oneof(
  fc.record({ kind: fc.constant("accept" as const), vcpu, page, level: fc.nat(1) }),
  fc.record({ kind: fc.constant("read" as const), vcpu, page }),
  fc.record({ kind: fc.constant("share" as const), vcpu, page, shared: fc.boolean() }),
  fc.record({ kind: fc.constant("zap" as const), page }),
);
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never;

const begin = (b: TdxBench, a: Act, zapper: Frame<Vmm>): void => {
  if (a.kind === "zap") {
    const unit = a.page - (a.page % BLOCK_PAGES);
    if (zapper.idle) zapper.start(zap, unit, unit + BLOCK_PAGES, FREE_PRIVATE);
    return;
  }
  if (!b.exits[a.vcpu]!.idle || !b.isInGuest(a.vcpu)) return;
  const first = a.page - (a.page % 8);
  // A read of a page that is mapped and not accepted is the end of the VM.
  if (a.kind === "read") void (b.septAt(a.page)[0] === SEPT_FREE && b.read(a.vcpu, a.page));
  else if (a.kind === "share") b.mapGpa(a.vcpu, first, 8, a.shared);
  else b.accept(a.vcpu, a.level === 1 ? a.page - (a.page % BLOCK_PAGES) : a.page, a.level);
};

it("each block has its pair of pages while TDX has a small page in it, and no longer, however the VMM's threads interleave", () => {
  const policy = fc.record({ augSize: fc.constantFrom("4K" as const, "2M" as const) });
  const acts = fc.array(fc.tuple(act, fc.array(fc.nat(2), { maxLength: 25 })), {
    minLength: 20,
    maxLength: 60,
  });
  fc.assert(
    fc.property(policy, acts, (wanted, all) => {
      const made = dynamicBench(wanted);
      const { bench } = made;
      const tasks = [...bench.exits, bench.idleTask(2)];
      for (const [a, schedule] of all) {
        if (bench.vmm.life.ended !== 0) break;
        begin(bench, a, tasks[2]!);
        for (const turn of schedule)
          if (!tasks[turn]!.idle && bench.vmm.life.ended === 0) bench.step(tasks[turn]!);
      }
      bench.finish(...tasks);
      expect([VM_END.NONE, VM_END.PENDING_ACCESS, VM_END.PINNED]).toContain(bench.vmm.life.end.reason);
      if (bench.vmm.life.ended === 0) checkPairs(made);
    }),
    { numRuns: RUNS },
  );
});

it("another thread comes in between a pair and the page it was brought for", () => {
  const { bench, pairs } = dynamicBench({ augSize: "4K" });
  expect(bench.accept(0, 5, 0)).toBe("exit");
  const [one] = bench.exits;
  const seen = new Set<boolean>();
  for (let steps = 0; !one!.idle && steps < 100; steps++) {
    bench.step(one!);
    const piece = bench.vmm.pieceOf(0);
    if (piece.backed.has(5) && !piece.mapped.has(5)) seen.add(pairs.has(piece.frameOf(5)));
  }
  expect([...seen].sort()).toEqual([false, true]);
});
