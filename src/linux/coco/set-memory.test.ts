import fc from "fast-check";
import { expect, it } from "vitest";
import { NotModelled } from "../../not-modelled.ts";
import { KEXEC } from "../kexec/kexec.ts";
import { fakeKernel, run } from "../testing/fake-kernel.ts";
import { setMemoryDecrypted, setMemoryEncrypted } from "./set-memory.ts";
import { SharedPages } from "./shared-pages.ts";

it("while conversions are stopped for a kexec, nobody converts", () => {
  const { k } = fakeKernel({ top: 2 ** 30 });
  k.kexec.words[KEXEC.CONVERSIONS_STOPPED] = 1;
  expect(run(k, setMemoryDecrypted, 0x10_0000, 0x1000)).toBe(-16);
  expect(run(k, setMemoryEncrypted, 0x10_0000, 0x1000)).toBe(-16);
  expect(k.shared.count).toBe(0);
});

it("ranges of shared memory say of each page what was done last to it", () => {
  const deed = fc.record({ add: fc.boolean(), from: fc.nat(31), pages: fc.integer({ min: 1, max: 8 }) });
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 24 }), (deeds) => {
      const shared = new SharedPages();
      const pages = new Set<number>();
      for (const { add, from, pages: count } of deeds) {
        shared.remove(from, from + count);
        if (add) shared.add(from, from + count);
        for (let page = from; page < from + count; page++)
          if (add) pages.add(page);
          else pages.delete(page);
      }
      for (let page = 0; page < 40; page++) expect(shared.has(page)).toBe(pages.has(page));
    }),
  );
});

it("more ranges than it has room for are not made up", () => {
  const shared = new SharedPages();
  for (let n = 0; n < 256; n++) shared.add(2 * n, 2 * n + 1);
  expect(() => shared.add(1000, 1001)).toThrow(NotModelled);
});
