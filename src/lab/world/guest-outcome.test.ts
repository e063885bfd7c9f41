import { expect, it } from "vitest";
import { SUCCESS } from "../../scenario/world.ts";
import { AgentError } from "../agent/agent.ts";
import { TdEnded } from "../td/trust-domain.ts";
import { QmpRefused } from "../wire/qmp-refused.ts";
import { guarded, type Mortal } from "./guest-outcome.ts";

const DONE = { status: SUCCESS, detail: "" };

/** A guest that ends with `failure` once `end` was called. */
class FakeGuest implements Mortal {
  over = false;
  failure: Error | undefined;
  readonly unanswered = new Set<number>();
  console = "";
  readonly qemu = { consoleText: () => this.console };
  readonly kexec = { consoleStart: 0 };
  isOver = async (): Promise<boolean> => this.over;

  end(failure?: Error): void {
    [this.over, this.failure] = [true, failure];
  }
}

it("what a guest does that lives on is the outcome", async () => {
  expect(await guarded(new FakeGuest(), async () => DONE)).toEqual(DONE);
});

it("a deed after which the guest is found dead has the guest's end for an outcome, and not success", async () => {
  const guest = new FakeGuest();
  const outcome = await guarded(guest, async () => {
    guest.end(new TdEnded("the VMM ended the TD"));
    return DONE;
  });
  expect(outcome).toEqual({ status: "TD_KILLED", detail: "the VMM ended the TD" });
});

it("a deed that fails because the guest panics has the panic for an outcome", async () => {
  const guest = new FakeGuest();
  const outcome = await guarded(guest, async () => {
    guest.console = "[ 1.0] Kernel panic - not syncing: out of memory\r\n";
    guest.end();
    throw new AgentError("the agent's line is closed");
  });
  expect(outcome).toEqual({ status: "PANIC", detail: "Kernel panic - not syncing: out of memory" });
});

it.each([
  [new AgentError("sh: write error: Device or resource busy"), "-EBUSY"],
  [new AgentError("something else"), "FAILED"],
  [new QmpRefused("qmp", "device_add", { class: "GenericError", desc: "no slot" }), "GenericError"],
])("a refusal of a guest that lives is an outcome: %s", async (error, status) => {
  const outcome = await guarded(new FakeGuest(), () => Promise.reject(error));
  expect(outcome.status).toBe(status);
});

it("what is nobody's refusal is thrown", async () => {
  await expect(guarded(new FakeGuest(), () => Promise.reject(new Error("ours")))).rejects.toThrow("ours");
});
