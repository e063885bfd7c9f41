import { expect, it } from "vitest";
import * as z from "zod";
import type { LabViolation } from "../../lab/enforce/violation.ts";
import { LabError } from "../../lab/lab-error.ts";
import { NotModelled } from "../../not-modelled.ts";
import { main } from "../main.ts";
import { type FakeSystem, fakeSystem } from "../testing/fake-system.ts";
import type { BootedGuest, BootOrder, GuestOutcome, StartGuest } from "./booted-guest.ts";
import { bootSchema } from "./schema.ts";

const OUTCOME: GuestOutcome = {
  release: "6.12.1-cloud",
  fate: { state: "running", why: "" },
  violations: [],
  tdcalls: { "TDG.VP.INFO": 1, "TDG.MEM.PAGE.ACCEPT": 586 },
  seamcalls: {},
  exits: 3,
};

const VIOLATION: LabViolation = {
  invariant: "I1",
  range: { start: 0x1_8000_0000, end: 0x1_8000_1000 },
  why: "touched by clear_page+0x15: plugged, its secure-EPT entry is FREE",
  place: { rip: 0xffff_ffff_8100_0115n, symbol: "clear_page+0x15", backtrace: ["do_anonymous_page+0x50"] },
  vcpu: 0,
  septState: "FREE",
  plugged: true,
};

/** A guest that comes up and says so, and lives until it is told to go. */
class FakeGuest implements BootedGuest {
  readonly order: BootOrder;
  readonly typed: string[] = [];
  outcomeNow: GuestOutcome = OUTCOME;
  comesUp = true;
  closed = false;
  size: readonly number[] = [];
  leave: () => void = () => {};
  private readonly left = new Promise<void>((resolve) => {
    this.leave = resolve;
  });

  constructor(order: BootOrder) {
    this.order = order;
  }
  say(text: string): void {
    this.order.print(new TextEncoder().encode(text));
  }
  async boot(): Promise<boolean> {
    this.say("Linux version 6.12.1\r\n/ # ");
    return this.comesUp;
  }
  gone(): Promise<void> {
    return this.left;
  }
  type(bytes: Uint8Array): void {
    this.typed.push(new TextDecoder().decode(bytes));
  }
  async setSize(...size: [number, number]): Promise<void> {
    this.size = size;
  }
  async map() {
    return [];
  }
  async outcome(): Promise<GuestOutcome> {
    this.say("last words\r\n");
    return this.outcomeNow;
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Runs the command; `meet` does what happens once the guest is there. */
const boot = async (
  line: string,
  meet: (guest: FakeGuest, system: FakeSystem) => void = () => {},
  system = fakeSystem({}),
): Promise<{ status: number; guest: FakeGuest | undefined; system: FakeSystem }> => {
  let guest: FakeGuest | undefined;
  const start: StartGuest = async (order) => {
    guest = new FakeGuest(order);
    const met = guest;
    setImmediate(() => meet(met, system));
    return guest;
  };
  const args = ["boot", ...line.split(" ").filter((word) => word !== "")];
  return { status: await main(args, system, undefined, start), guest, system };
};

const terminal = (): FakeSystem => fakeSystem({}, { terminal: 80, keyboard: true, env: { NO_COLOR: "1" } });

it("prints the console with plain line ends, and how it went, once the guest is ready", async () => {
  const { status, guest, system } = await boot("--exit-when-ready");
  expect(system.out()).toBe(
    [
      "Linux version 6.12.1",
      "/ # last words",
      "held  Linux 6.12.1-cloud - 4G - design none - came up - 0 violations",
      "  TDG.VP.INFO          1",
      "  TDG.MEM.PAGE.ACCEPT  586",
      "",
    ].join("\n"),
  );
  expect([status, system.err(), guest!.closed]).toEqual([0, "", true]);
  expect(guest!.order.append).toBe("accept_memory=lazy");
});

it("goes on until the guest is over", async () => {
  const { status, system } = await boot("", (guest) => {
    guest.say("reboot: Power down\r");
    guest.say("\n");
    guest.outcomeNow = { ...OUTCOME, fate: { state: "off", why: "QEMU has ended" } };
    guest.leave();
  });
  expect(status).toBe(0);
  expect(system.out()).toContain("/ # reboot: Power down\nlast words\nheld  Linux");
});

it("a violation is one line with its callers, and status 1", async () => {
  const { status, system } = await boot("", (guest) => {
    guest.outcomeNow = { ...OUTCOME, violations: [VIOLATION], fate: { state: "killed", why: VIOLATION.why } };
    guest.leave();
  });
  expect(status).toBe(1);
  expect(system.out()).toContain(
    "  I1 broken at 0x180000000-0x180000fff: touched by clear_page+0x15: plugged, its secure-EPT entry is FREE (do_anonymous_page+0x50)\n",
  );
});

it("a guest that does not come up, or panics, fails with status 1", async () => {
  const start: StartGuest = async (order) => {
    const guest = new FakeGuest(order);
    guest.comesUp = false;
    return guest;
  };
  const system = fakeSystem({});
  expect(await main(["boot"], system, undefined, start)).toBe(1);
  expect(system.out()).toContain("failed  Linux 6.12.1-cloud - 4G - design none - did not come up");
  const panic = await boot("", (guest) => {
    guest.outcomeNow = { ...OUTCOME, fate: { state: "panicked", why: "Kernel panic - not syncing: VFS" } };
    guest.leave();
  });
  expect(panic.status).toBe(1);
  expect(panic.system.out()).toContain("panicked: Kernel panic - not syncing: VFS");
});

it("on a terminal keys go to the guest's shell, but for Ctrl-A", async () => {
  const { status, guest, system } = await boot(
    "",
    (_guest, { type }) => type("ls\r\u0003\u0001h\u0001m\u0001x"),
    terminal(),
  );
  expect([status, guest!.typed, system.isRestored()]).toEqual([0, ["ls\r\u0003"], true]);
  expect(guest!.order.append).toBe("accept_memory=lazy tidemark_shell=1");
  expect(guest!.size).toEqual([80, 24]);
  expect(system.out()).toContain("Ctrl-A h for help, Ctrl-A x to end\nLinux version 6.12.1\r\n/ # \n");
  expect(system.out()).toContain("Ctrl-A m  show the memory map\n");
});

it("a signal ends the guest, restores the terminal, and says nothing more", async () => {
  const system = terminal();
  const start: StartGuest = async (order) => {
    const guest = new FakeGuest(order);
    order.signal.addEventListener("abort", () => guest.leave());
    setImmediate(() => system.signal(143));
    return guest;
  };
  expect(await main(["boot"], system, undefined, start)).toBe(143);
  expect(system.isRestored()).toBe(true);
  expect(system.out()).not.toContain("violations");
});

it("ends when nobody reads the console any more", async () => {
  const { status, guest } = await boot("", (_guest, { leave }) => leave());
  expect([status, guest!.closed]).toEqual([0, true]);
});

it("--json prints one document that follows its schema; the console is on standard error", async () => {
  const { system } = await boot("--json --map --memory 8G --append quiet", (guest) => {
    guest.outcomeNow = { ...OUTCOME, violations: [VIOLATION] };
    guest.leave();
  });
  const report = bootSchema.parse(JSON.parse(system.out()));
  expect(report).toMatchObject({ verdict: "broken", ready: true, end: "gone", map: [] });
  expect(report.setup).toMatchObject({ memory: 2 ** 33, vcpus: 1, append: "accept_memory=lazy quiet" });
  expect(report.violations[0]).toMatchObject({ rip: "0xffffffff81000115", symbol: "clear_page+0x15" });
  expect(system.err()).toContain("Linux version 6.12.1\n");
});

it.each([
  ["--memory lots", 2, /^--memory lots:1:10: machine\.memory: expected /],
  ["--design bitmap", 2, /did you mean `bitmaps`\?$/],
  ["--accept never", 2, /Allowed choices are lazy, eager/],
  ["--append a\u0007b", 2, /^--append a b: expected one line of text, found control characters$/],
  ["--modules m", 2, /add --kernel BZIMAGE$/],
])("boot %s is wrong input, told on one line", async (line, status, message) => {
  const told = await boot(line);
  expect([told.status, told.guest, told.system.out()]).toEqual([status, undefined, ""]);
  expect(told.system.err()).toMatch(/^[^\n]+\n$/);
  expect(told.system.err().trimEnd()).toMatch(message);
});

it.each([
  [new LabError("QEMU ended with status 1"), "QEMU ended with status 1\n"],
  [new NotModelled("a call"), "the linux world cannot play this: not modelled: a call\n"],
])("what keeps it from running is one line and status 3", async (error, line) => {
  const system = fakeSystem({});
  const status = await main(["boot"], system, undefined, async () => {
    throw error;
  });
  expect([status, system.err(), system.out()]).toEqual([3, line, ""]);
});

it("the schema in docs is that of the report", async () => {
  const text = `${JSON.stringify(z.toJSONSchema(bootSchema), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../../docs/schema/boot-report.schema.json");
});
