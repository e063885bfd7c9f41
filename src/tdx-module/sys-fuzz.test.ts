import fc from "fast-check";
import { expect, it } from "vitest";
import { HPA_LIST_INFO } from "../abi/tdx/hpa-list-info.ts";
import { TDH, type TdhLeaf } from "../abi/tdx/leaves.ts";
import { REGISTER_NAMES } from "../abi/tdx/regs.ts";
import { NotModelled } from "../not-modelled.ts";
import { SYS_STATE, SYS_WORD } from "./sys-state.ts";
import { BareModule, TDMR } from "./testing/bare-module.ts";

const LEAVES = Object.keys(TDH).filter((name) => /^TDH\.(SYS|EXT)\./.test(name)) as TdhLeaf[];
const LIST = 0x9_0000;
const word = fc.oneof(
  fc.bigInt(0n, 2n ** 64n - 1n),
  fc.constantFrom(
    0n,
    1n,
    2n,
    32n,
    64n,
    TDMR.base,
    TDMR.size,
    0x8_0000n,
    0x10_0000n,
    1n << 50n,
    32n + 2n ** 16n,
  ),
  fc
    .tuple(fc.nat(511), fc.nat(511))
    .map(([first, last]) =>
      HPA_LIST_INFO.encode({ firstEntry: BigInt(first), pfn: BigInt(LIST / 4096), lastEntry: BigInt(last) }),
    ),
  fc.nat(63).map((bit) => 1n << BigInt(bit)),
);
const call = fc.record({
  leaf: fc.constantFrom(...LEAVES),
  version: fc.constantFrom(0, 0, 0, 1, 2),
  lp: fc.nat(1),
  operands: fc
    .array(word, { minLength: 15, maxLength: 15 })
    .map((words) => Object.fromEntries(REGISTER_NAMES.slice(1).map((name, i) => [name, words[i]]))),
});
/** How far the module is brought up before the calls. */
const stages: readonly ((bare: BareModule) => void)[] = [
  () => {},
  (bare) => {
    bare.start();
  },
  (bare) => {
    bare.start().config([TDMR], { R9: 1n << 50n }, 1);
  },
  (bare) => {
    bare.bringUp({ R9: 1n << 50n }, 1);
  },
];

it("no call of a module on its way up throws anything but what is not modelled, or takes it back", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...stages),
      fc.array(call, { maxLength: 20 }),
      fc.uint8Array(),
      (stage, calls, bytes) => {
        const bare = new BareModule({ extensionPages: 40 }, { features: ["EXT", "QUOTE", "DYNAMIC_PAMT"] });
        const list = new Uint8Array(4096);
        list.set(bytes.subarray(0, 4096));
        new DataView(list.buffer).setBigUint64(0, TDMR.base, true);
        bare.module.host.write(LIST, list);
        stage(bare);
        for (const { leaf, version, lp, operands } of calls) {
          const { state } = bare.module.sys;
          try {
            bare.call(leaf, operands, { lp, version });
          } catch (error) {
            expect(error).toBeInstanceOf(NotModelled);
          }
          expect(bare.module.sys.state).toBeGreaterThanOrEqual(state);
          expect(bare.module.ready).toBe(bare.module.sys.state === SYS_STATE.READY);
          const { words } = bare.module.sys;
          expect(words[SYS_WORD.EXT_GIVEN]!).toBeLessThanOrEqual(words[SYS_WORD.EXT_WANTED]!);
        }
      },
    ),
    { numRuns: 150 },
  );
});
