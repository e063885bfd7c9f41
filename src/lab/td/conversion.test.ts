import { expect, it } from "vitest";
import { newRegs, R10, R11, R12, R13, RCX, setNumber } from "../../abi/tdx/regs.ts";
import { stateOf } from "../../machine/snapshot.ts";
import { loadScenario } from "../../scenario/load.ts";
import { machineConfigOf } from "../../scenario/model/model-config.ts";
import { MIB } from "../../units.ts";
import { TrustDomain } from "./trust-domain.ts";

const SHARED = 2 ** 52;
const MAP_GPA = 0x10001;
/** R10 to R15 go to the VMM and come back. */
const EXPOSED = 0xfc00;

const tdWith = (vmm: string, vcpus: number): TrustDomain =>
  new TrustDomain(
    machineConfigOf(
      loadScenario(
        `{name: td, title: td, machine: {memory: 1G, vcpus: ${vcpus}}, vmm: ${vmm}, steps: [boot]}`,
        {
          file: "td.yaml",
          designs: ["none"],
          readBytes: () => new Uint8Array(),
        },
      ),
    ),
  );

/** What a guest does to its memory. */
type Deed = readonly [what: "accept" | "share" | "take back", start: number, end: number];

const mapGpa = (td: TrustDomain, start: number, size: number): number => {
  const regs = newRegs();
  setNumber(regs, RCX, EXPOSED);
  setNumber(regs, R11, MAP_GPA);
  setNumber(regs, R12, start);
  setNumber(regs, R13, size);
  td.tdcall(0, regs);
  return regs[2 * R10]!;
};

const act = (td: TrustDomain, [what, start, end]: Deed): number => {
  if (what === "accept") td.acceptForFirmware(start, end);
  else return mapGpa(td, start + (what === "share" ? SHARED : 0), end - start);
  return 0;
};

/** Has a TD do all of it. @returns the answers, every byte of its machine, and how many pages were removed at one go */
const outcomeOf = (vmm: string, vcpus: number, deeds: readonly Deed[], atOneGo: boolean) => {
  const td = tdWith(vmm, vcpus);
  const { vmm: host } = td.machine;
  const remove = host.removePages;
  let removed = 0;
  Reflect.set(host, "removePages", (frame: number, count: number) => {
    const pages = atOneGo ? remove(frame, count) : 0;
    removed += pages;
    return pages;
  });
  const answers = deeds.map((deed) => act(td, deed));
  const bytes = stateOf(td.machine).buffers.map((buffer) => Buffer.from(buffer).toString("latin1"));
  return { answers, bytes, removed };
};

const page = 4096;
/** As a kernel does with its bounce buffers, which begin anywhere. */
const BOUNCE: readonly Deed[] = [
  ["accept", 0, 64 * MIB],
  ["share", 8 * MIB + 3 * page, 40 * MIB + 3 * page],
];
/** In small pages, some of them not accepted, some taken back and given away again. */
const PIECES: readonly Deed[] = [
  ["accept", 2 * MIB, 3 * MIB],
  ["accept", 3 * MIB + 5 * page, 6 * MIB - page],
  ["share", 2 * MIB + 7 * page, 5 * MIB],
  ["take back", 2 * MIB, 4 * MIB],
  ["accept", 2 * MIB + 8 * page, 3 * MIB],
  ["share", 2 * MIB, 6 * MIB],
];

it.each([
  ["bounce buffers", "{}", BOUNCE, 8000],
  ["bounce buffers that a VMM adds by small pages", "{augSize: 4K}", BOUNCE, 8000],
  ["pieces", "{}", PIECES, 900],
  ["pieces that a VMM adds ahead", "{aug: ahead}", PIECES, 900],
])("what is removed at one go leaves every byte as one page after the other: %s", (_, vmm, deeds, least) => {
  const fast = outcomeOf(vmm, 1, deeds, true);
  const slow = outcomeOf(vmm, 1, deeds, false);
  expect(fast.removed).toBeGreaterThan(least);
  expect(slow.removed).toBe(0);
  expect(fast.answers).toEqual(slow.answers);
  expect(fast.bytes.length).toBe(slow.bytes.length);
  expect(fast.bytes.findIndex((bytes, n) => bytes !== slow.bytes[n])).toBe(-1);
});

it("while another vCPU is in the guest it has to leave for each page, and nothing goes at one go", () => {
  const { removed, answers } = outcomeOf("{}", 2, BOUNCE, true);
  expect([removed, ...answers]).toEqual([0, 0, 0]);
});
