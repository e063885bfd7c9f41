import { expect, it } from "vitest";
import { load, playInModel } from "./model-machine.ts";

/** 2 GiB, a VMM that takes shared memory's private pages away; the steps are flow style. */
const played = (steps: string, guest = "{}") =>
  playInModel(
    load(
      `name: t\nmachine: {memory: 2G}\nguest: ${guest}\nvmm: {pageRelease: false}\nsteps: [boot, ${steps}]\nexpect: {machine: running}\n`,
    ),
  );

const SHARED = "{allocate: {name: a, size: 4M, order: 10, movable: false}}, {share: {name: a}}";

it("what a driver shares is private and accepted again in the next kernel", async () => {
  const { report } = await played(`${SHARED}, kexec, {pressure: {leave: 128M}}`);
  expect([report.verdict, report.violations]).toEqual(["held", []]);
  // One call to share, one to take back.
  expect(report.cost.tdcalls["TDG.VP.VMCALL"]).toBe(2);
});

it("memory that was taken back by its driver is as it was", async () => {
  const { report } = await played(`${SHARED}, {unshare: {name: a}}, {touch: {name: a}}`);
  expect([report.verdict, report.violations]).toEqual(["held", []]);
});

it("shared memory is reached through its shared mapping", async () => {
  const { report } = await played(`${SHARED}, {touch: {name: a}}`);
  expect([report.verdict, report.violations, report.fate.state]).toEqual(["held", [], "running"]);
});

it("a kernel for whose image there is no memory goes on without", async () => {
  const { report } = await played("{pressure: {leave: 56M}}, kexec, {expect: {status: -ENOMEM}}");
  expect([report.verdict, report.fate.state]).toEqual(["held", "running"]);
});

it("the same seed starts the next kernel in the same way", async () => {
  const one = await played("kexec, {allocate: {name: b, size: 64M}}", "{kernel: 6.12}");
  const two = await played("kexec, {allocate: {name: b, size: 64M}}", "{kernel: 6.12}");
  expect(JSON.stringify(one.report)).toBe(JSON.stringify(two.report));
});
