import { expect, it } from "vitest";
import { play } from "./player.ts";
import type { Action } from "./scenario.ts";
import { FakeWorld } from "./testing/fake-world.ts";
import { loadText, MACHINE } from "./testing/play-text.ts";
import type { Fate, LogLine, Oops, Outcome } from "./world.ts";

const BAD_PAGE = "BUG: Bad page state in process sh  pfn:1234";
const NULL_POINTER = "BUG: kernel NULL pointer dereference, address: 0000000000000000";

/** A kernel that oopses while it is given memory, and answers the step well. */
class Oopsing extends FakeWorld {
  readonly said: Oops[] = [];
  dies = false;

  override perform(action: Action): Outcome {
    const outcome = super.perform(action);
    if (action.kind !== "resize") return outcome;
    this.said.push({ text: `${NULL_POINTER} in phys_pmd_init+0x96/0x500`, lines: [NULL_POINTER] });
    this.said.push({ text: BAD_PAGE, lines: [BAD_PAGE] });
    return outcome;
  }

  oopses(): Oops[] {
    return this.said;
  }

  override dmesg(): LogLine[] {
    return this.said.flatMap(({ lines }) => lines.map((text) => ({ ns: 1, text })));
  }

  override fate(): Fate {
    return this.dies && this.said.length > 0 ? { state: "panicked", why: "Fatal exception" } : super.fate();
  }
}

const STEPS = "steps:\n  - boot\n  - resize: {device: vm0, to: 6M}\n  - note: end\n";
const run = async (rest: string, world = new Oopsing()) =>
  (await play(loadText(MACHINE + STEPS + rest), world, { version: "test" })).report;

it("a kernel that oopses and goes on fails the run in the step that it did so in", async () => {
  const { verdict, fate, expectations } = await run("");
  expect([verdict, fate.state]).toEqual(["failed", "running"]);
  expect(expectations).toEqual([
    {
      line: 8,
      column: 5,
      what: "the guest's kernel goes on without an oops",
      held: false,
      expected: "none",
      found: `${NULL_POINTER} in phys_pmd_init+0x96/0x500, and 1 more`,
      implicit: true,
    },
  ]);
});

it("an oops that an expectation of the log names is none that fails the run", async () => {
  const named = await run("expect:\n  dmesg: {contains: 'NULL pointer'}\n");
  expect(named.expectations.map(({ held, found }) => ({ held, found }))).toEqual([
    { held: true, found: NULL_POINTER },
    { held: false, found: BAD_PAGE },
  ]);
  const both = await run("expect:\n  dmesg: [{contains: 'NULL pointer'}, {matches: 'Bad page .* pfn'}]\n");
  expect(both.verdict).toBe("held");
});

it("what a kernel says while it dies is told of by its fate alone", async () => {
  const world = new Oopsing();
  world.dies = true;
  expect((await run("expect: {machine: panicked}\n", world)).verdict).toBe("held");
});
