import { describe, expect, it } from "vitest";
import { main } from "../main.ts";
import { fakeSystem } from "../testing/fake-system.ts";
import { openWorld } from "../worlds.ts";
import { planJsonSchema, planSchema } from "./schema.ts";

const planned = async (line: string, files = {}, screen: { readonly terminal?: number } = {}) => {
  const system = fakeSystem(files, { ...screen, env: { NO_COLOR: "1" } });
  const status = await main(["plan", ...line.split(" ").filter((word) => word !== "")], system, openWorld);
  return { status, out: system.out(), err: system.err(), system };
};

// `npx vitest run -u` writes the file anew after a change of the schema.
it("the published schema of the plan is current", async () => {
  const text = `${JSON.stringify(planJsonSchema(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../../docs/schema/plan-report.schema.json");
});

it("--json is one document that follows its schema to the letter", async () => {
  for (const line of [
    "--memory 2G --json",
    "--memory 2G --hotplug 1G --device dimm --dimms 2 --design tide --json",
    "--memory 64G --hotplug 1T --vcpus 8 --json",
    "--memory 4G --hotplug 1G --platform snp --design tide --json",
  ]) {
    const { out, err } = await planned(line);
    expect(err).toBe("");
    expect(planSchema.parse(JSON.parse(out))).toEqual(JSON.parse(out));
  }
});

it.each(["tdx", "snp"])(
  "the scenario that it writes for %s runs in the virtual times that it says",
  async (platform) => {
    const line = `--memory 3G --hotplug 2G --vcpus 3 --platform ${platform} --design tide --discard both --accept eager`;
    const { system, out, status } = await planned(`${line} --scenario m.yaml --json`);
    expect(status).toBe(0);
    const plan = planSchema.parse(JSON.parse(out));
    const text = system.files.get("m.yaml") ?? "";
    const runner = fakeSystem({ "m.yaml": text });
    expect(await main(["run", "m.yaml", "--json"], runner, openWorld)).toBe(0);
    const { played } = JSON.parse(runner.out()) as { played: { startNs: number; endNs: number }[] };
    const spent = (from: number, to: number) => played[to]!.endNs - played[from]!.startNs;
    expect([plan.boot.eager.ns, plan.plug?.ns, plan.unplug?.ns]).toEqual([
      spent(0, 0),
      spent(1, 2),
      spent(3, 4),
    ]);
  },
);

it("DIMMs that come one after the other take as long in a plan as in a run of its scenario", async () => {
  const line = "--memory 3G --hotplug 1026M --device dimm --dimms 3 --scenario m.yaml --json";
  const { system, out } = await planned(line);
  const plan = planSchema.parse(JSON.parse(out));
  const runner = fakeSystem({ "m.yaml": system.files.get("m.yaml") ?? "" });
  await main(["run", "m.yaml", "--json"], runner, openWorld);
  const { played } = JSON.parse(runner.out()) as { played: { startNs: number; endNs: number }[] };
  // A boot, three plugs and three unplugs, each of these with a wait behind it.
  const spent = (first: number): number => played[first + 5]!.endNs - played[first]!.startNs;
  expect([plan.plug?.ns, plan.unplug?.ns]).toEqual([spent(1), spent(7)]);
});

describe("what is wrong is told in one line, with exit status 2", () => {
  it.each([
    ["", /--memory: expected the RAM at boot/],
    ["--memory 5x", /^--memory 5x: expected a size from 64M to 1P such as 64G, found "5x"$/],
    ["--memory 4097M", /expected a multiple of 2M, .*nearest: 4G and 4098M/],
    ["--memory 4G --vcpus 0", /expected a whole number from 1 to 512/],
    ["--memory 4G --design bitmap", /did you mean bitmaps\?|bitmaps/],
    ["--memory 4G --platform sev", /expected a platform that is modelled.*tdx or snp/],
    ["--memory 4G --platform snp --extension-pages 5", /only its module takes pages/],
    ["--memory 4G --accept lasy", /lazy/],
    ["--memory 4G --vmm qemuu", /qemu/],
    ["--memory 4G --device dim", /dimm/],
    ["--memory 4G --hotplug 1G --dimms 2", /1 without --device dimm/],
    ["--memory 4G --hotplug 1G --block-size 6M", /power of two/],
    ["--memory 4G --hotplug 1G --block-size 2G", /multiple of the device's block of 2G/],
    ["--memory 4G --hotpug 1G", /--hotplug/],
  ])("%s", async (line, said) => {
    const { status, out, err } = await planned(line);
    expect([status, out, err.trim().split("\n").length]).toEqual([2, "", 1]);
    expect(err.trim()).toMatch(said);
  });
});

it("a machine that does not come to be is exit status 1, and the limit is named", async () => {
  const { status, out } = await planned("--memory 1G --hotplug 128G --device dimm");
  expect(status).toBe(1);
  expect(out).toMatch(/^ {2}error +struct pages of hot-plugged memory: .*memmap_on_memory/m);
});

it("fits the terminal but for the snippets, and keeps rows whole in a pipe", async () => {
  const wide = (text: string, width: number): string[] =>
    text
      .split("\nQEMU\n")[0]!
      .split("\n")
      .filter((row) => row.length > width);
  for (const width of [40, 50, 51, 60, 80, 120]) {
    const { out } = await planned("--memory 4G --hotplug 8G --design bitmaps", {}, { terminal: width });
    expect(wide(out, width)).toEqual([]);
  }
  expect(wide((await planned("--memory 4G --hotplug 8G")).out, 80).length).toBeGreaterThan(0);
});

it("--vmm prints one snippet, else all of them", async () => {
  const titles = (text: string) => text.split("\n").filter((row) => /^(QEMU|libvirt|KubeVirt)$/.test(row));
  expect(titles((await planned("--memory 2G")).out)).toEqual(["QEMU", "libvirt", "KubeVirt"]);
  expect(titles((await planned("--memory 2G --vmm libvirt")).out)).toEqual(["libvirt"]);
});
