import { expect, it } from "vitest";
import { load, playInModel } from "./model-machine.ts";

const HOST = `name: x
machine:
  memory: 1G
  host: {memory: [{at: 0, size: 2G}, {at: 4G, size: 2G}]}
guest: {accept: eager, design: tide}
`;
const play = (rest: string, overrides: readonly string[] = []) =>
  playInModel(load(`${HOST}${rest}`, overrides));

it("a TD does not start on a host that has not brought TDX up, and starts once it has", async () => {
  const { report } = await play(
    `steps:
  - boot
  - expect: {status: -EINVAL, machine: off}
  - host: enable
  - reset
expect: {machine: running, host: {private: '>= 1G'}}
`,
  );
  expect([report.verdict, report.played[0]?.detail]).toEqual([
    "held",
    "the VMM finds no TDX on its host: bring it up first, by a step `host: enable`",
  ]);
});

it("a TD that finds no page for its control structures is not built", async () => {
  const { report } = await play(
    `steps:
  - host: enable
  # 4 GiB without the first MiB; metadata of 8212 KiB for each of two TDMRs; 8 pages of TDMR_INFO: 16 KiB are left.
  - host: {privateMemory: 4176808K}
  - boot
  - expect: {status: -ENOMEM, machine: off}
`,
  );
  expect([report.verdict, report.played[2]?.detail]).toEqual([
    "held",
    "the host has no memory for the TD's control structures",
  ]);
});

/** 16 GiB that nothing checked, so that the module has no metadata for them, beside 4 GiB of which `taken` are not free. */
const unchecked = (taken: string): string => `steps:
  - host: enable
  - host: {hotAdd: {at: 128G, size: 16G, node: 1}}
  - host: {online: {block: '1024-1151'}}
  - host: {privateMemory: ${taken}}
  - boot
  - expect: {status: -EIO, machine: off}
`;

it.each([
  ["false", "TDH.MNG.CREATE answers OPERAND_ADDR_RANGE_ERROR(RCX)"],
  ["true", "TDH.PHYMEM.PAMT.ADD answers OPERAND_ADDR_RANGE_ERROR(RDX)"],
])(
  "a TD whose root would lie where the module has no metadata is not built (dynamic PAMT: %s)",
  async (dynamic, call) => {
    const options = ["machine.host.hotplugCheck=none", `machine.host.dynamicPamt=${dynamic}`];
    const { report } = await play(unchecked("4300M"), options);
    expect([report.verdict, report.played[4]?.detail]).toEqual([
      "held",
      `the host's first page for the TD lies in memory that TDX has no metadata for: ${call}`,
    ]);
  },
);

it("one of which only later control pages would lie there is not modelled, and says so", async () => {
  // 16 KiB are left of the memory that has metadata.
  const options = ["machine.host.hotplugCheck=none"];
  await expect(play(unchecked("4176808K"), options)).rejects.toThrow(
    "a TD of which some control pages lie in memory that the TDX module has no metadata for",
  );
});

it.each([["4K"], ["2M"]])(
  "with dynamic PAMT a TD in pages of %s that gets memory without metadata ends when the module refuses it",
  async (augSize) => {
    const { report } = await play(
      `steps:
  - host: enable
  - host: {hotAdd: {at: 128G, size: 16G, node: 1}}
  - host: {online: {block: '1024-1151'}}
  - host: {privateMemory: 3584M}
  - boot
  - expect: {status: BOOT_FAILED, machine: killed}
`,
      ["machine.host.hotplugCheck=none", "machine.host.dynamicPamt=true", `vmm.augSize=${augSize}`],
    );
    expect(report.verdict).toBe("held");
    expect(report.played[4]?.detail).toMatch(/module refused at .*, OPERAND_ADDR_RANGE_ERROR\(R8\)$/);
  },
);

it("a TD that is reset leaves its host all pages and its key, as often as that may be", async () => {
  const resets = "  - reset\n  - expect: {machine: running, host: {private: 1050704K}}\n".repeat(6);
  const { report } = await play(`steps:\n  - host: enable\n  - boot\n${resets}`);
  expect([report.verdict, report.violations]).toEqual(["held", []]);
});

it("on another maker's processor the host's TDX is no matter", async () => {
  const { report } = await play("steps:\n  - boot\nexpect: {machine: running, host: {private: 0}}\n", [
    "platform=snp",
  ]);
  expect(report.verdict).toBe("held");
});

it("what a TD shares leaves guest_memfd and comes out of the same allocator, page by page as it is touched", async () => {
  const { report } = await play(
    `steps:
  - host: enable
  - boot
  - expect: {host: {private: 1050704K, shared: 0, free: 3126120K}}
  - allocate: {name: ring, size: 4M, order: 10}
  - share: {name: ring}
  - expect: {host: {private: 1046608K, shared: 0, free: 3130216K}}
  - touch: {name: ring}
  - expect: {host: {private: 1046608K, shared: 4M, free: 3126120K}}
  - unshare: {name: ring}
  - expect: {host: {private: 1050704K, shared: 0, free: 3126120K}}
  - share: {name: ring}
  - touch: {name: ring}
  - reset
  - expect: {machine: running, host: {private: 1050704K, shared: 0, free: 3126120K}}
`,
    ["vmm.pageRelease=false"],
  );
  expect([report.verdict, report.violations]).toEqual(["held", []]);
});

it("a TD that touches what it shares ends when its host has no page for it", async () => {
  const { report } = await play(
    `steps:
  - host: enable
  - boot
  - allocate: {name: ring, size: 4M, order: 10}
  - share: {name: ring}
  # All but 2 MiB of the 3130216 KiB that are free.
  - host: {privateMemory: 3128168K}
  - touch: {name: ring}
  - expect: {status: TD_KILLED, machine: killed, host: {shared: 2M, free: 0}}
`,
    ["vmm.pageRelease=false"],
  );
  expect([report.verdict, report.fate]).toMatchObject([
    "held",
    { state: "killed", why: expect.stringContaining("host out of memory at") },
  ]);
});
