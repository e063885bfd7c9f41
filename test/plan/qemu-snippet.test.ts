import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PLAN_PLATFORMS, type PlanRequest } from "../../src/plan/plan-request.ts";
import { PLAIN, qemuOptions, qmpCommands } from "../../src/plan/snippets/qemu.ts";

const GIB = 2 ** 30;
const QEMU = "qemu-system-x86_64";
const hasQemu = spawnSync(QEMU, ["--version"]).status === 0;

const request = (rest: Partial<PlanRequest>): PlanRequest => ({
  memory: 2 * GIB,
  hotplug: 0,
  vcpus: 4,
  nodes: 1,
  platform: "tdx",
  design: "none",
  accept: "lazy",
  device: "virtio-mem",
  blockSize: 2 ** 21,
  dimms: 1,
  discard: "shared-only",
  unaccepted: "above-4g",
  extensionPages: 0,
  ...rest,
});

/** What a QMP conversation answers, line by line, on a machine whose CPUs never start. */
const converse = (
  wanted: PlanRequest,
  commands: readonly string[],
): { errors: string; answers: string[] } => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-qemu-"));
  try {
    const options = qemuOptions(wanted, PLAIN)
      .filter(([option]) => option !== "-qmp" && option !== "-serial")
      .flatMap(([option, value]) => (value === undefined ? [option] : [option, value]));
    const input = ['{"execute":"qmp_capabilities"}', ...commands, '{"execute":"quit"}'].join("\n");
    const args = [...options, "-display", "none", "-S", "-qmp", "stdio"];
    const { stdout, stderr } = spawnSync(QEMU, args, { cwd: folder, input, encoding: "utf8" });
    return { errors: stderr, answers: stdout.trim().split("\n") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const refusals = (answers: readonly string[]): string[] => answers.filter((line) => line.includes('"error"'));

it.skipIf(!hasQemu)("the snippet of a machine without hotplug starts in QEMU (skipped without QEMU)", () => {
  for (const wanted of [
    request({}),
    request({ nodes: 2, memory: 3 * GIB }),
    request({ nodes: 2, memory: 3 * GIB, platform: "snp" }),
  ]) {
    const { errors, answers } = converse(wanted, []);
    expect([errors, refusals(answers)]).toEqual(["", []]);
  }
});

it.skipIf(!hasQemu)("a virtio-mem device of the plan is there in QEMU, and takes its requested sizes", () => {
  // Emulated CPUs have 40 bits of physical address, so not the plan's 4 TiB.
  const wanted = request({ hotplug: 512 * GIB, memory: 64 * GIB, vcpus: 32 });
  const { errors, answers } = converse(wanted, [
    '{"execute":"query-memory-devices"}',
    ...qmpCommands(wanted),
  ]);
  expect([errors, refusals(answers)]).toEqual(["", []]);
  expect(answers.join("\n")).toContain('"max-size": 549755813888');
});

it.skipIf(!hasQemu)("DIMMs of the plan are plugged in QEMU one by one", () => {
  for (const platform of PLAN_PLATFORMS) {
    const wanted = request({ hotplug: 4 * GIB, device: "dimm", dimms: 4, platform });
    const plugs = qmpCommands(wanted).filter((line) => !line.includes("device_del"));
    const { errors, answers } = converse(wanted, [...plugs, '{"execute":"query-memory-devices"}']);
    expect([errors, refusals(answers)]).toEqual(["", []]);
    expect(answers.join("\n").match(/"id": "dimm\d"/g)?.length).toBe(4);
  }
});

it("a TD is told to QEMU as its documentation says", () => {
  const options = qemuOptions(request({}));
  expect(options.find(([option]) => option === "-machine")?.[1]).toContain("confidential-guest-support=tdx0");
  expect(options).toContainEqual(["-object", '{"qom-type":"tdx-guest","id":"tdx0"}']);
});

it("an SNP guest is told to QEMU as its documentation says, its memory shared between QEMU and KVM", () => {
  const options = qemuOptions(request({ platform: "snp", hotplug: GIB }));
  expect(options.find(([option]) => option === "-machine")?.[1]).toContain("confidential-guest-support=sev0");
  const objects = options.filter(([option]) => option === "-object").map(([, value]) => value);
  expect(objects).toEqual([
    "sev-snp-guest,id=sev0,cbitpos=51,reduced-phys-bits=1,policy=0x30000",
    "memory-backend-memfd,id=ram0,size=2G,share=on,reserve=off",
    "memory-backend-memfd,id=vmem0,size=1G,share=on,reserve=off",
  ]);
});
