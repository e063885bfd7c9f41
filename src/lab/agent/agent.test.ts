import { expect, it } from "vitest";
import { LabError } from "../lab-error.ts";
import { Agent, AgentError } from "./agent.ts";
import { bootId, FakeGuest } from "./testing/fake-guest.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const unsettled = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, "pending"))])) === "pending";

const greeted = (guest: FakeGuest): Agent => {
  const agent = new Agent(guest);
  guest.greet();
  return agent;
};

it("nothing is sent before the agent said it is ready", async () => {
  const guest = new FakeGuest();
  const agent = new Agent(guest);
  await expect(agent.ping()).rejects.toThrow("ping: the guest's agent is not ready");
  expect(guest.requests).toEqual([]);
  const ready = agent.ready();
  guest.say("echo of nothing\r\n");
  expect(await unsettled(ready)).toBe(true);
  guest.greet("7");
  expect(await ready).toBe(bootId("7"));
  await agent.ping();
});

it("a snippet is sent as it is, and its answer has status and both outputs", async () => {
  const guest = new FakeGuest(() => ({ status: 3, stdout: "a\0b", stderr: "no" }));
  const { status, stdout, stderr } = await greeted(guest).run("echo 'ä'");
  expect([status, text(stdout), text(stderr)]).toEqual([3, "a\0b", "no"]);
  const payload = Buffer.from("echo 'ä'\n").toString("latin1");
  expect(guest.requests).toMatchObject([{ verb: "run", path: "", payload }]);
});

it("requests are served one at a time, in the order they were made", async () => {
  const guest = new FakeGuest(() => undefined);
  const agent = greeted(guest);
  const first = agent.run("first");
  const second = agent.run("second");
  await expect(unsettled(first)).resolves.toBe(true);
  expect(guest.requests.map(({ payload }) => payload)).toEqual(["first\n"]);
  guest.answer(guest.requests[0]!.id, { stdout: "1" });
  expect(text((await first).stdout)).toBe("1");
  await expect(unsettled(second)).resolves.toBe(true);
  guest.answer(guest.requests[1]!.id, { stdout: "2" });
  expect(text((await second).stdout)).toBe("2");
});

it("a request given up ends at once; the next is sent when the guest is through with it", async () => {
  const guest = new FakeGuest(() => undefined);
  const agent = greeted(guest);
  const stop = new AbortController();
  const first = agent.run("sleep 1000", stop.signal);
  await expect(unsettled(first)).resolves.toBe(true);
  stop.abort(new Error("10 s are over"));
  await expect(first).rejects.toThrow("`sleep 1000` in the guest: given up (10 s are over)");
  const second = agent.run("second");
  await expect(unsettled(second)).resolves.toBe(true);
  expect(guest.requests).toHaveLength(1);
  guest.answer(guest.requests[0]!.id, { stdout: "late" });
  await expect(unsettled(second)).resolves.toBe(true);
  guest.answer(guest.requests[1]!.id, { stdout: "fresh" });
  expect(text((await second).stdout)).toBe("fresh");
});

it("a request given up while it waits for its turn is never sent", async () => {
  const guest = new FakeGuest(() => undefined);
  const agent = greeted(guest);
  const first = agent.run("first");
  const stop = new AbortController();
  const second = agent.run("second", stop.signal);
  await expect(unsettled(second)).resolves.toBe(true);
  stop.abort(new Error("no more"));
  await expect(second).rejects.toThrow("`second` in the guest: given up (no more)");
  const third = agent.run("third");
  guest.answer(guest.requests[0]!.id, {});
  await first;
  await expect(unsettled(third)).resolves.toBe(true);
  expect(guest.requests.map(({ payload }) => payload)).toEqual(["first\n", "third\n"]);
});

it("a signal that has already gone off sends nothing", async () => {
  const guest = new FakeGuest();
  await expect(greeted(guest).ping(AbortSignal.abort(new Error("over")))).rejects.toThrow(
    "ping: given up (over)",
  );
  expect(guest.requests).toEqual([]);
});

it("a signal that outlives its request leaves nothing behind", async () => {
  const guest = new FakeGuest();
  const agent = greeted(guest);
  const stop = new AbortController();
  await agent.ping(stop.signal);
  stop.abort();
  await agent.ping();
});

it("when the guest dies, what waits and what comes later fails with the reason", async () => {
  const guest = new FakeGuest(() => undefined);
  const agent = greeted(guest);
  const waiting = agent.run("first");
  const queued = agent.readFile("/proc/meminfo");
  await expect(unsettled(waiting)).resolves.toBe(true);
  agent.guestDied("QEMU ended with status 1");
  await expect(waiting).rejects.toThrow("`first` in the guest: QEMU ended with status 1");
  await expect(queued).rejects.toThrow("read of /proc/meminfo in the guest: QEMU ended with status 1");
  await expect(agent.ready(undefined, bootId("1"))).rejects.toThrow(AgentError);
  await expect(agent.ping()).rejects.toThrow(LabError);
});

it("a guest that dies before its agent is ready ends the waiting", async () => {
  const agent = new Agent(new FakeGuest());
  const ready = agent.ready();
  agent.guestDied("QEMU ended");
  await expect(ready).rejects.toThrow("waiting for the guest's agent: QEMU ended");
});

it("a guest that starts again refuses what waits, and is waited for by its new boot id", async () => {
  const guest = new FakeGuest(() => undefined);
  const agent = greeted(guest);
  const lost = agent.run("first");
  await expect(unsettled(lost)).resolves.toBe(true);
  const again = agent.ready(undefined, bootId("1"));
  guest.greet("2");
  await expect(lost).rejects.toThrow("the guest started again meanwhile");
  expect(await again).toBe(bootId("2"));
  expect(agent.boot).toBe(bootId("2"));
});

it("an agent of another protocol is refused", async () => {
  const guest = new FakeGuest();
  const agent = new Agent(guest);
  const ready = agent.ready();
  guest.greet("1", 2);
  await expect(ready).rejects.toThrow("its agent speaks version 2 of the protocol");
});

it("a long file is written in pieces of at most 32 KiB, an empty one in one", async () => {
  const guest = new FakeGuest();
  const agent = greeted(guest);
  await agent.writeFile("/run/a b", new Uint8Array(70_000));
  await agent.writeFile("/run/empty", new Uint8Array());
  expect(guest.requests.map(({ verb, path, payload }) => [verb, path, payload.length])).toEqual([
    ["put", "/run/a b", 32_768],
    ["append", "/run/a b", 32_768],
    ["append", "/run/a b", 4464],
    ["put", "/run/empty", 0],
  ]);
});

it("a refusal of the guest is one line with the command's own words", async () => {
  const guest = new FakeGuest(() => ({
    status: 1,
    stderr: "/init: line 22: can't create /sys/x: no such file\nmore\n",
  }));
  const agent = greeted(guest);
  await expect(agent.writeFile("/sys/x", new Uint8Array(1))).rejects.toThrow(
    /^write of \/sys\/x in the guest: can't create \/sys\/x: no such file$/,
  );
  const silent = greeted(new FakeGuest(() => ({ status: 2 })));
  await expect(silent.output("false\ntrue")).rejects.toThrow(
    /^the guest's `false` ended with status 2: it said nothing$/,
  );
});
