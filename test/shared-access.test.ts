import { describe, expect, it } from "vitest";
import { load, playInModel } from "./model-machine.ts";

/** A driver has 4 MiB at 0x4c00000 right above memory in use; both lie where a kernel of 2 GiB allocates first. */
const SHARED = 0x4c00000;
const played = async (steps: readonly string[], vmm = "pageRelease: false", guest = "revert: []") => {
  const text = `
name: shared
machine: {memory: 2G}
guest: {${guest}}
vmm: {${vmm}}
steps:
  - boot
  - allocate: {name: text, size: 4M, order: 10, movable: false}
  - allocate: {name: bounce, size: 4M, order: 10, movable: false}
  - expect: {range: {at: ${SHARED}, size: 4M, use: allocated}}
${steps.map((step) => `  - ${step}`).join("\n")}
`;
  const rows: string[] = [];
  const { report } = await playInModel(load(text), ({ what, status, stateAfter }) => {
    if (what === "#VE") rows.push(`${what} ${status} ${stateAfter}`);
  });
  const { verdict, fate, violations, cost } = report;
  return { rows, verdict, state: fate.state, broken: violations.map((one) => one.invariant), cost };
};

const SHARE = "share: {name: bounce}";
const TOUCH = "touch: {name: bounce}";
const READ = `read: {across: ${SHARED}}`;

describe("an access through a shared mapping", () => {
  it("leaves the guest once for each 4 KiB that the VMM has not backed yet, and no more after that", async () => {
    const once = await played([SHARE, TOUCH]);
    const twice = await played([SHARE, TOUCH, TOUCH]);
    expect([once.verdict, twice.verdict]).toEqual(["held", "held"]);
    expect(twice.cost.exits).toBe(once.cost.exits);
    const none = await played([SHARE]);
    // 4 MiB are 1024 pages.
    expect(once.cost.exits - none.cost.exits).toBe(1024);
  });
  it("raises #VE instead where the VMM wants that, and a word read is padded with zeroes", async () => {
    const { rows, verdict } = await played([SHARE, READ], "pageRelease: false, sharedMiss: ve");
    expect([rows, verdict]).toEqual([["#VE EPT violation shared"], "held"]);
  });
  it("raises no #VE where the kernel maps the page private", async () => {
    const { rows, verdict } = await played([READ], "sharedMiss: ve");
    expect([rows, verdict]).toEqual([[], "held"]);
  });
  it("that only emulated MMIO could answer is not modelled", async () => {
    await expect(played([SHARE, TOUCH], "pageRelease: false, sharedMiss: ve")).rejects.toThrow("MMIO");
  });
  it("finds the page private again after the driver took it back", async () => {
    const { verdict, broken } = await played([SHARE, TOUCH, "unshare: {name: bounce}", TOUCH, READ]);
    expect([verdict, broken]).toEqual(["held", []]);
  });
});

it("a private mapping of what the host has breaks I38", async () => {
  const race = `parallel: [{unshare: {name: bounce, vcpu: 1}}, {read: {across: ${SHARED}, vcpu: 0}}]`;
  const { state, broken } = await played([SHARE, race], "pageRelease: false", "revert: [B16]");
  expect([state, broken.includes("I38")]).toEqual(["killed", true]);
});

it("reserve_mem= is accepted to its last byte and belongs to nobody", async () => {
  const text = `
name: reserve
machine: {memory: 8G}
guest: {reserveMem: {size: 3000000, align: 1G}}
steps: [boot]
expect:
  range:
    - {at: 0x240000000, size: 2M, accepted: true, use: reserved}
    - {at: 0x240200000, size: 884K, accepted: true, use: reserved}
`;
  const { report } = await playInModel(load(text));
  expect(report.expectations.map(({ held, found }) => [held, found])).toEqual([
    [true, expect.anything()],
    [true, expect.anything()],
  ]);
});
