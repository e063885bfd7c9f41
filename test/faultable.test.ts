import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { MEMORY_HOTPLUG_READ, MEMORY_HOTPLUG_WRITE } from "../src/abi/acpi/memory-hotplug-registers.ts";
import { SNP_GUEST_CALL, SNP_HOST_CALL } from "../src/abi/snp/call-numbers.ts";
import { LEAF_STATUSES, type LeafStatuses } from "../src/abi/tdx/leaf-statuses.ts";
import { tdgName, tdhName } from "../src/abi/tdx/leaves.ts";
import { VIRTIO_MEM_REQUEST } from "../src/abi/virtio-mem/request.ts";
import { VIRTIO_MEM_ANSWERS, VIRTIO_MEM_RESPONSE } from "../src/abi/virtio-mem/response.ts";
import { FAULT_POINT } from "../src/linux/fault-points.ts";
import {
  ACPI_METHOD,
  EFI_SERVICE,
  FAULT_CALLS,
  type FaultBoundary,
  type FaultCall,
  isCreationCall,
  isHostCall,
  SNP_FAULT,
} from "../src/machine/faults/fault-calls.ts";
import { TD_BUILD } from "../src/machine/td-build.ts";
import { HOST_KERNEL_ALLOCATION } from "../src/tdx-host/host-kernel.ts";
import { SEAMCALL_LEAVES } from "../src/tdx-module/seamcall.ts";
import { TDCALL_LEAVES } from "../src/tdx-module/tdcall.ts";
import { HOST_ALLOCATION } from "../src/vmm/host-use.ts";
import { bundledScenarios, load, loadBundled, playInModel } from "./model-machine.ts";

/*
 * Everything that crosses a boundary can fail, in each way that makes sense, or stands here with the reason why not. The lists are
 * those of the code: who writes a leaf, a request, a register, a service or an allocation has to say here what of it can go wrong.
 */

const NAMES: ReadonlySet<string> = new Set(FAULT_CALLS.map(({ name }) => name));
const callNamed = (name: string): FaultCall | undefined => FAULT_CALLS.find((call) => call.name === name);
const codes = (...boundaries: FaultBoundary[]): ReadonlySet<number> =>
  new Set(FAULT_CALLS.filter(({ boundary }) => boundaries.includes(boundary)).map(({ code }) => code));

const NOBODY = "neither the guest, the VMM nor the host calls it";
const TEARS_DOWN = "the end of a TD is one deed here, and nothing of the guest is left to see it fail";

/** Leaves that the module has and no fault strikes. */
const NOT_STRUCK: { readonly [leaf: string]: string } = {
  "TDG.VP.VMCALL": "its one sub-function that can fail has a name of its own, MapGPA",
  "TDG.VP.VEINFO.GET": "a #VE of the model's guest is told by the processor, without the call",
  "TDG.VP.CPUIDVE.SET": NOBODY,
  "TDG.SYS.RD": NOBODY,
  "TDG.MEM.PAGE.ATTR.WR": NOBODY,
  "TDH.MEM.PAGE.PROMOTE": NOBODY,
  "TDH.MEM.RANGE.UNBLOCK": NOBODY,
  "TDH.MEM.SEPT.RD": NOBODY,
  "TDH.MEM.SEPT.REMOVE": NOBODY,
  "TDH.PHYMEM.PAGE.RDMD": NOBODY,
  "TDH.VP.FLUSH": TEARS_DOWN,
  "TDH.MNG.VPFLUSHDONE": TEARS_DOWN,
  "TDH.PHYMEM.CACHE.WB": TEARS_DOWN,
  "TDH.MNG.KEY.FREEID": TEARS_DOWN,
  "TDH.PHYMEM.PAGE.RECLAIM": TEARS_DOWN,
};

describe("every leaf that the module has can fail, or stands here with a reason", () => {
  const leaves = [...TDCALL_LEAVES.map(tdgName), ...SEAMCALL_LEAVES.map(tdhName)];
  it("leaf by leaf", () => {
    expect(leaves.length).toBeGreaterThan(40);
    expect(leaves.filter((leaf) => NAMES.has(leaf) === leaf in NOT_STRUCK)).toEqual([]);
    expect(Object.keys(NOT_STRUCK).filter((leaf) => !leaves.includes(leaf))).toEqual([]);
  });

  it("with every status that it has, so busy where it can be", () => {
    const table: { readonly [leaf: string]: LeafStatuses } = LEAF_STATUSES;
    for (const [leaf, statuses] of Object.entries(table))
      expect([
        leaf,
        [...(callNamed(leaf)?.answers.keys() ?? [])].filter((kind) => kind !== "INTERRUPTED"),
      ]).toEqual([leaf, Object.keys(statuses)]);
  });

  it("and the reason is true: a leaf that nobody calls is named by none of those who could", () => {
    const unused = Object.entries(NOT_STRUCK).flatMap(([leaf, why]) => (why === NOBODY ? [leaf] : []));
    const texts = ["vmm", "machine", "tdx-host", "linux", "designs"].flatMap(sources);
    const named = texts.filter(({ text }) => unused.some((leaf) => text.includes(`"${leaf}"`)));
    expect(named.map(({ path }) => path)).toEqual([]);
  });

  it.each([
    ["virtio-mem-replug", []],
    ["tide-no-release", []],
    ["tide-dimm", []],
    ["kexec/device-full", []],
    ["hazards/H17-leaked-conversion", []],
    ["host-dynamic-pamt", ["vmm.augSize=2M"]],
    ["snp-replug", []],
  ] as const)("and what %s calls can fail", async (scenario, set) => {
    const { report } = await playInModel(loadBundled(scenario, set));
    const { tdcalls, seamcalls } = report.cost;
    const called = [...Object.keys(tdcalls), ...Object.keys(seamcalls)];
    expect(called.length).toBeGreaterThan(1);
    expect(called.filter((name) => !NAMES.has(name) && NOT_STRUCK[name] === undefined)).toEqual([]);
  });
});

describe("every answer of a virtio-mem device can be had", () => {
  it("as the specification allows it, and no answer at all", () => {
    for (const request of Object.keys(VIRTIO_MEM_REQUEST) as (keyof typeof VIRTIO_MEM_ANSWERS)[]) {
      const answers: readonly string[] = VIRTIO_MEM_ANSWERS[request];
      const asked = [...(callNamed(`virtio-mem ${request}`)?.answers.keys() ?? [])];
      const refusals = Object.keys(VIRTIO_MEM_RESPONSE).filter(
        (one) => one !== "ACK" && answers.includes(one),
      );
      expect([request, asked]).toEqual([request, [...refusals, "NO_REPLY"]]);
    }
  });
});

describe("every ACPI step can fail", () => {
  /** By register: the method whose fault its access meets. */
  const READS: Record<keyof typeof MEMORY_HOTPLUG_READ, readonly (keyof typeof ACPI_METHOD)[]> = {
    addressLow: ["_CRS"],
    addressHigh: ["_CRS"],
    sizeLow: ["_CRS"],
    sizeHigh: ["_CRS"],
    proximity: ["_PXM"],
    flags: ["_STA", "MSCN"],
  };
  const WRITES: Record<keyof typeof MEMORY_HOTPLUG_WRITE, readonly (keyof typeof ACPI_METHOD)[] | string> = {
    slot: "selecting a slot has no answer; what is read of it then has",
    ostEvent: ["_OST"],
    ostStatus: ["_OST"],
    control: ["_EJ0"],
  };
  it("register by register", () => {
    expect(Object.keys(READS)).toEqual(Object.keys(MEMORY_HOTPLUG_READ));
    expect(Object.keys(WRITES)).toEqual(Object.keys(MEMORY_HOTPLUG_WRITE));
    const methods = new Set([...Object.values(READS), ...Object.values(WRITES)].filter(Array.isArray).flat());
    expect([...methods].sort()).toEqual(Object.keys(ACPI_METHOD).sort());
    expect(Object.keys(ACPI_METHOD).filter((method) => !NAMES.has(`ACPI ${method}`))).toEqual([]);
  });
});

/** Files of a folder of src/ that are no tests and name no faults for their own sake. */
const sources = (folder: string): { path: string; text: string }[] => {
  const root = join(resolve(import.meta.dirname, ".."), "src", folder);
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !/test|testing\/|faults\//.test(path))
    .map((path) => ({ path: `${folder}/${path}`, text: readFileSync(join(root, path), "utf8") }));
};

describe("every allocation can fail", () => {
  it.each([
    ["of the guest", FAULT_POINT, codes("guest")],
    ["of the VMM for its guest", HOST_ALLOCATION, codes("vmm")],
    ["for a TD that is made", TD_BUILD, codes("creation")],
    ["of the host's kernel", HOST_KERNEL_ALLOCATION, codes("host")],
    ["and every other service of the firmware", EFI_SERVICE, codes("firmware")],
    ["and what SEV-SNP asks of the processor", SNP_FAULT, codes("snp")],
  ] as const)("%s", (_what, table, reached) => {
    expect(Object.entries(table).filter(([, code]) => !reached.has(code))).toEqual([]);
  });

  it("and every instruction of SEV-SNP that is counted", () => {
    const counted = [...Object.keys(SNP_GUEST_CALL), ...Object.keys(SNP_HOST_CALL)];
    expect(counted.filter((name) => !NAMES.has(name))).toEqual([]);
  });

  /** Files of the kernel that answer -ENOMEM and ask no fault point: what makes them do it can fail. */
  const PASSED_ON: { readonly [path: string]: string } = {
    "linux/errno.ts": "the table of errors",
    "linux/kexec/load.ts": "alloc_pages",
    "linux/memory-block.ts": "tests count calls there that are to fail",
    "linux/page-allocator/migrate.ts": "alloc_pages",
    "linux/virtio-mem/add-block.ts": "what add_memory answered",
    "linux/virtio-mem/fake-offline.ts": "alloc_contig_range",
    "linux/virtio-mem/request.ts": "virtio-mem UNPLUG",
    "linux/virtio-mem/work.ts": "what a request or add_memory answered",
    "linux/memory-hotplug/memory-group.ts":
      "a group is an entry of an array of 320 here, so none is allocated",
  };
  it("of the kernel's, file by file", () => {
    const answers = sources("linux").filter(({ text }) => /\bENOMEM\b/.test(text));
    const unasked = answers.filter(({ text }) => !text.includes("faultAt(")).map(({ path }) => path);
    expect(unasked.sort()).toEqual(Object.keys(PASSED_ON).sort());
  });
});

describe("in each way that makes sense", () => {
  /** Calls that can only be late, and why. */
  const ONLY_LATE: { readonly [call: string]: string } = {
    "TDG.VP.INFO": "the specification gives it no status but success",
    static_branch_inc: "it returns nothing",
    static_branch_dec: "it returns nothing",
  };
  it("each has an answer that is no success, or a reason", () => {
    const without = FAULT_CALLS.filter(({ answers }) => answers.size === 0).map(({ name }) => name);
    expect(without).toEqual(Object.keys(ONLY_LATE));
  });

  it("each may be late but those before virtual time and those of the host, which takes none", () => {
    for (const call of FAULT_CALLS) {
      const text = `name: late\nmachine: {memory: 4G}\nfaults: [${call.name} at 1 is late by 1ms]\nsteps: [boot]\n`;
      const isTimeless = isHostCall(call) || isCreationCall(call);
      if (isTimeless) expect(() => load(text)).toThrow("an answer in time of");
      else expect(load(text).faults[0]?.late).toBe(1e6);
    }
  });

  it("each leaf that the module lets be interrupted can be", () => {
    const interrupted = FAULT_CALLS.filter(({ answers }) =>
      [...answers.keys()].some((answer) => answer.startsWith("INTERRUPTED")),
    ).map(({ name }) => name);
    expect(interrupted.sort()).toEqual([
      "TDG.MEM.PAGE.ACCEPT",
      "TDH.EXT.INIT",
      "TDH.EXT.MEM.ADD",
      "TDH.MEM.PAGE.DEMOTE",
    ]);
  });

  it("MapGPA stops after the pieces that it is told, and the guest goes on from there", async () => {
    const made = async (answer: string, after: number) => {
      const fault = `{call: MapGPA, at: 1, answer: ${answer}, after: ${after}, range: {at: 4G, size: 4G}}`;
      const { report } = await playInModel(
        loadBundled("tide-no-release", [`faults=[${fault}]`, "guest.accept=eager"]),
      );
      return [report.faults[0]?.struck, report.fate.state, report.violations.length];
    };
    expect(await made("RETRY", 3)).toEqual([1, "running", 0]);
    expect(await made("INVALID_OPERAND", 3)).toEqual([1, "running", 0]);
  });
});

it("the scenarios that this file plays are there", () => {
  expect(bundledScenarios()).toEqual(expect.arrayContaining(["virtio-mem-replug", "kexec/device-full"]));
});
