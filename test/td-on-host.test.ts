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
