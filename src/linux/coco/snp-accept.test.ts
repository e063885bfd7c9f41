import { describe, expect, it } from "vitest";
import { GHCB_PAGE, PSC_BUFFER } from "../../abi/snp/ghcb.ts";
import { AGAIN } from "../../flat/procedure.ts";
import { fakeKernel, newTask, run } from "../testing/fake-kernel.ts";
import { FakeSnp } from "../testing/fake-snp.ts";
import { isDone } from "./platform.ts";
import { SNP_PLATFORM } from "./snp-accept.ts";

const MIB = 2 ** 20;
const START = 2 ** 32;
const BUFFER = GHCB_PAGE.SHARED_BUFFER;
const NO_UPDATE = 255;

/** An SNP kernel with 128 MiB of memory in the direct map at 4 GiB. */
const rig = () => {
  const fake = fakeKernel({ top: 2 ** 33, members: { platform: SNP_PLATFORM } });
  const snp = new FakeSnp();
  const k = { ...fake.k, hw: Object.assign(Object.create(fake.hw), { snp }) as typeof fake.k.hw };
  k.mm.addSection(32);
  k.mm.setMapped(32, true);
  return { k, snp, log: fake.log };
};
type Rig = ReturnType<typeof rig>;

/** Runs a procedure until the guest asks to be ended. @returns whether it did */
const runToEnd = ({ k, snp }: Rig, start: number, end: number, procedure = SNP_PLATFORM.accept): boolean => {
  const task = newTask();
  task.start(procedure, start, end);
  for (let steps = 0; steps < 5000 && !task.idle; steps++) {
    const next = task.step(k);
    if (next === AGAIN && snp.log.at(-1)?.startsWith("terminate")) return true;
  }
  return false;
};

describe("snp_accept_memory", () => {
  it("asks for a page state change first and validates after it, 2 MiB where that fits", () => {
    const { k, snp } = rig();
    expect(isDone(run(k, SNP_PLATFORM.accept, START + 2 * MIB - 4096, START + 4 * MIB + 4096))).toBe(true);
    expect(snp.log).toEqual([
      "request 3 private 4K 0x1001ff000",
      "validate 4K 0x1001ff000",
      "validate 2M 0x100200000",
      "validate 4K 0x100400000",
    ]);
  });

  it("puts 64 entries into a request", () => {
    const { k, snp } = rig();
    run(k, SNP_PLATFORM.accept, START, START + 66 * 4096);
    expect(snp.log.filter((line) => line.startsWith("request"))).toEqual([
      "request 64 private 4K 0x100000000",
      "request 2 private 4K 0x100040000",
    ]);
  });

  it("does a 2 MiB page in 4 KiB where the sizes do not match", () => {
    const { k, snp } = rig();
    snp.pvalidates = (gpa, size) => (size === 1 && gpa === START ? 6 : 0);
    run(k, SNP_PLATFORM.accept, START, START + 4 * MIB);
    expect(snp.log.length).toBe(1 + 1 + 512 + 1);
    expect([snp.log[1], snp.log[2], snp.log.at(-1)]).toEqual([
      "validate 2M 0x100000000 = 6",
      "validate 4K 0x100000000",
      "validate 2M 0x100200000",
    ]);
  });

  it("asks again while the host did only a part", () => {
    const { k, snp } = rig();
    snp.host = (ghcb) => {
      ghcb.setUint16(
        BUFFER + PSC_BUFFER.CURRENT,
        ghcb.getUint16(BUFFER + PSC_BUFFER.CURRENT, true) + 1,
        true,
      );
    };
    run(k, SNP_PLATFORM.accept, START, START + 3 * 4096);
    expect(snp.log.filter((line) => line.startsWith("request")).length).toBe(3);
  });

  it("ends the guest by request when an entry did not change: set 1, reason 2", () => {
    const made = rig();
    made.snp.pvalidates = () => NO_UPDATE;
    expect(runToEnd(made, START, START + 2 * MIB)).toBe(true);
    expect(made.snp.log.at(-1)).toBe("terminate 1 2");
    expect(made.log).toEqual([
      "PVALIDATE failure: pfn: 0x100000, action: 1, size: 1, ret: 255, svsm_ret: 0x0",
    ]);
  });

  it.each([
    [
      "an error",
      (ghcb: DataView) => ghcb.setUint32(GHCB_PAGE.EXIT_INFO_2 + 4, 0x100, true),
      /exit_info_2=10000000000/,
    ],
    [
      "a reserved bit",
      (ghcb: DataView) => ghcb.setUint32(BUFFER + PSC_BUFFER.RESERVED, 1, true),
      /Reserved bit/,
    ],
    [
      "more entries than it was given",
      (ghcb: DataView) => ghcb.setUint16(BUFFER + PSC_BUFFER.END, 9, true),
      /backward/,
    ],
  ])("ends the guest when the host answers %s: set 1, reason 1", (_, host, line) => {
    const made = rig();
    made.snp.host = host;
    expect(runToEnd(made, START, START + 4096)).toBe(true);
    expect(made.snp.log.at(-1)).toBe("terminate 1 1");
    expect(made.log.at(-1)).toMatch(line);
  });

  it("ends the guest when the host goes backward", () => {
    const made = rig();
    const currents = [2, 1];
    made.snp.host = (ghcb) => {
      ghcb.setUint16(BUFFER + PSC_BUFFER.CURRENT, currents.shift() ?? 0, true);
    };
    expect(runToEnd(made, START, START + 4 * 4096)).toBe(true);
    expect(made.log.at(-1)).toBe(
      "SNP: PSC processing going backward, end_entry 3 (got 3) cur_entry 2 (got 1)",
    );
  });

  it("meets a page fault outside the direct map, after the page state change", () => {
    const { k, snp, log } = rig();
    const task = newTask();
    task.start(SNP_PLATFORM.accept, 2 * START - 4096, 2 * START);
    while (!k.cpus.panicked) task.step(k);
    expect(snp.log).toEqual(["request 1 private 4K 0x1fffff000"]);
    expect(log).toEqual([
      "BUG: unable to handle page fault for address: ffff8881fffff000",
      "Kernel panic - not syncing: Fatal exception",
    ]);
  });
});

it("to shared it rescinds first and asks for the page state change after that", () => {
  const { k, snp } = rig();
  expect(run(k, SNP_PLATFORM.convert, START, START + 2 * MIB, 0)).toBe(START + 2 * MIB);
  expect(snp.log).toEqual(["rescind 2M 0x100000000", "request 1 shared 2M 0x100000000"]);
});

it("to private it leaves everything to the accept that follows", () => {
  const { k, snp } = rig();
  expect(run(k, SNP_PLATFORM.convert, START, START + 2 * MIB, 1)).toBe(START + 2 * MIB);
  expect(snp.log).toEqual([]);
});

it("arch_unaccept_memory of RFC v2 panics", () => {
  const { k } = rig();
  const task = newTask();
  task.start(SNP_PLATFORM.release, START, START + 2 * MIB);
  task.step(k);
  expect(k.cpus.panicMessage).toBe("Cannot unaccept memory: unknown platform");
});

it("what may be validated is rescinded before it is validated", () => {
  const { k, snp } = rig();
  snp.pvalidates = (_, size, validate) => (size === 1 && validate === 0 ? NO_UPDATE : 0);
  expect(isDone(run(k, SNP_PLATFORM.acceptMissing, START, START + 2 * MIB + 4096))).toBe(true);
  expect(snp.log).toEqual([
    "rescind 2M 0x100000000 = 255",
    "rescind 4K 0x100200000",
    "request 2 private 2M 0x100000000",
    "validate 2M 0x100000000",
    "validate 4K 0x100200000",
  ]);
});

describe("before there is a GHCB page", () => {
  it("each 4 KiB is one exit by the MSR protocol, then PVALIDATE", () => {
    const { k, snp } = rig();
    expect(isDone(run(k, SNP_PLATFORM.earlyAccept, 0, 2 * 4096))).toBe(true);
    expect(snp.log).toEqual(["msr 0x0", "validate 4K 0x0", "msr 0x1", "validate 4K 0x1000"]);
  });

  it.each([
    [[0x15, 1], "terminate 1 1"],
    [[0x13, 0], "terminate 1 1"],
  ] as const)("the answer %j ends the guest", (answer, end) => {
    const made = rig();
    made.snp.msrAnswer = answer;
    expect(runToEnd(made, START, START + 4096, SNP_PLATFORM.earlyAccept)).toBe(true);
    expect(made.snp.log.at(-1)).toBe(end);
  });
});
