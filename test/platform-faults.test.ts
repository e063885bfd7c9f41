import { describe, expect, it } from "vitest";
import { load, playInModel } from "./model-machine.ts";

const SNP = (faults: string, design = "tide"): string => `name: snp
platform: snp
machine: {memory: 4G, virtioMem: [{id: vm0, size: 1G}]}
guest: {design: ${design}, autoOnline: online_movable}
vmm: {discard: both}
faults: ${faults}
steps:
  - boot
  - resize: {device: vm0, to: 256M}
  - wait: {for: {device: {id: vm0, plugged: 256M}}, timeout: 60m}
  - resize: {device: vm0, to: 0}
  - wait: {for: {device: {id: vm0, plugged: 0}}, timeout: 60m}
`;
const HOST = (faults: string): string => `name: host
machine:
  memory: 512M
  host:
    memory: [{at: 0, size: 2G}, {at: 4G, size: 4G}]
    extensions: {pages: 1200}
faults: ${faults}
steps:
  - host: enable
`;

const outcome = async (text: string, sets: readonly string[] = []) => {
  const rows: string[] = [];
  const { report } = await playInModel(load(text, sets), (event) => {
    if (event.actor === "fault") rows.push(`${event.what} ${event.status} ${event.stateAfter}`);
  });
  return { report, rows };
};

describe("on SEV-SNP a fault by name and count strikes that call, and Linux and KVM go on where they can", () => {
  it.each([
    ["PVALIDATE at 5 answers FAIL_SIZEMISMATCH", ["PVALIDATE FAIL_SIZEMISMATCH call 5"]],
    ["PVALIDATE rescind at 1 answers FAIL_SIZEMISMATCH", ["PVALIDATE rescind FAIL_SIZEMISMATCH call 1"]],
    ["VMGEXIT page state change at 1 answers RETRY", ["VMGEXIT page state change RETRY call 1"]],
    ["RMPUPDATE at 3 answers FAIL_OVERLAP", ["RMPUPDATE FAIL_OVERLAP call 3"]],
    ["RMPUPDATE at 4 is late by 1ms", ["RMPUPDATE late call 4"]],
  ])("%s", async (fault, rows) => {
    const { report, rows: struck } = await outcome(SNP(JSON.stringify([fault])));
    expect([struck, report.verdict, report.violations]).toEqual([rows, "held", []]);
  });

  it("a block that the guest asks for in small pages is split once PSMASH finds it free", async () => {
    const faults = ["PVALIDATE at 5 answers FAIL_SIZEMISMATCH", "PSMASH at 1 (3 times) answers FAIL_INUSE"];
    const { report, rows } = await outcome(SNP(JSON.stringify(faults)));
    expect(rows.slice(1)).toEqual([1, 2, 3].map((call) => `PSMASH FAIL_INUSE call ${call}`));
    expect([report.verdict, report.cost.seamcalls["PSMASH"]]).toEqual(["held", 4]);
  });
});

describe("on SEV-SNP what nobody can live with ends the guest in the words of who ends it", () => {
  it.each([
    ["PVALIDATE at 7 answers NO_UPDATE", "linux pvalidate (set 1, code 2)"],
    ["PVALIDATE at 7 answers FAIL_INPUT", "linux pvalidate (set 1, code 2)"],
    ["VMGEXIT page state change at 1 answers GENERIC", "linux psc (set 1, code 1)"],
    ["VMGEXIT page state change at 1 answers INVALID_HEADER", "linux psc (set 1, code 1)"],
    ["VMGEXIT page state change at 1 answers INVALID_ENTRY", "linux psc (set 1, code 1)"],
    ["RMPUPDATE at 3 answers FAIL_PERMISSION", "rmp refused"],
    ["RMPUPDATE at 3 (100 times) answers FAIL_OVERLAP", "rmp refused"],
  ])("%s", async (fault, why) => {
    const { report, rows } = await outcome(SNP(JSON.stringify([fault])));
    expect(rows.length).toBeGreaterThan(0);
    expect(report.fate.state).toBe("killed");
    expect(report.fate.why).toContain(why);
  });

  it("a page state change by MSR that fails, in the stub", async () => {
    const text = SNP('["VMGEXIT MSR protocol at 1 answers FAILURE"]');
    const { report } = await outcome(text, ["machine.firmware={unaccepted: [{at: 4G, size: 1M}]}"]);
    expect(report.fate.why).toContain("set 1, code 1");
  });
});

describe("a host that brings TDX up", () => {
  it.each([
    ["TDH.SYS.INIT at 1 answers SYS_BUSY", "-EIO"],
    ["TDH.SYS.LP.INIT at 4 answers SYS_LP_INIT_NOT_PENDING", "-EIO"],
    ["TDH.SYS.RD at 11 answers METADATA_FIELD_NOT_READABLE", "-EIO"],
    ["TDH.SYS.CONFIG at 1 answers TDMR_OUTSIDE_CMRS(TDMR 1)", "-EIO"],
    ["TDH.SYS.CONFIG at 1 answers PAMT_OVERLAP(TDMR 0, 2M, TDMR 1)", "-EIO"],
    ["TDH.SYS.KEY.CONFIG at 2 answers KEY_GENERATION_FAILED", "-EIO"],
    ["TDH.SYS.TDMR.INIT at 700 answers OPERAND_BUSY", "-EIO"],
    ["TDH.EXT.MEM.ADD at 2 answers OPERAND_BUSY", "-EFAULT"],
    ["TDH.EXT.INIT at 1 answers SYS_SHUTDOWN", "-EFAULT"],
    ["TDH.EXT.MEM.ADD at 2 (5 times) answers INTERRUPTED_RESUMABLE", "SUCCESS"],
    ["TDH.EXT.INIT at 1 answers INTERRUPTED_RESUMABLE", "SUCCESS"],
  ])("%s: ends with %s", async (fault, status) => {
    const { report, rows } = await outcome(HOST(JSON.stringify([fault])));
    expect(report.played[0]?.status).toBe(status);
    const struck = report.faults[0]!.struck;
    expect([rows.length, struck]).toEqual([struck, struck]);
    expect(struck).toBeGreaterThan(0);
  });

  it("lets the seed draw what its kernel has to live with, the same for the same seed", async () => {
    const drawn = async (seed: number) => {
      const swarm = '{swarm: {calls: ["TDH.EXT.MEM.ADD", "TDH.EXT.INIT"]}}';
      const { report, rows } = await outcome(HOST(swarm), [`seed=${seed}`]);
      expect([seed, report.verdict, report.played[0]?.status]).toEqual([seed, "held", "SUCCESS"]);
      return rows;
    };
    const all = [];
    for (let seed = 1; seed <= 20; seed++) all.push(await drawn(seed));
    expect(all.flat().length).toBeGreaterThan(0);
    expect(await drawn(7)).toEqual(all[6]);
  });

  it("is never late", () => {
    expect(() => load(HOST('["TDH.SYS.INIT at 1 is late by 1ms"]'))).toThrow(
      "expected an answer in time of TDH.SYS.INIT",
    );
  });
});
