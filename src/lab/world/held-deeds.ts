import { NotForcible } from "../../check/story/forced-deeds.ts";
import { holdText } from "../../check/story/hold-points.ts";
import type { GoesOn, HeldAt, ScheduledStep } from "../../check/story/schedule.ts";
import type { Action } from "../../scenario/scenario.ts";
import { stepText } from "../../scenario/step-text.ts";
import { type Outcome, SUCCESS } from "../../scenario/world.ts";
import type { Calls, HeldThread, Holds } from "../faults/holds.ts";
import { whereCpusAre } from "../session/hang.ts";
import type { LabSession } from "../session/lab-session.ts";
import { performAction } from "./linux-actions.ts";
import type { Asked } from "./settling.ts";

/** Looks of those who are held in which nobody else was seen to do anything, after which the others wait for them. */
const MOST_LOOKS = 1500;
const PAUSE_MS = 100;

/** A deed that is under way. */
interface Deed {
  readonly action: Action;
  readonly since: Calls;
  readonly outcome: Promise<Outcome>;
  ended: Outcome | undefined;
  failed: boolean;
  at: HeldAt | undefined;
  held: HeldThread | undefined;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const isHeld = ({ held }: Deed): boolean => held?.isReached === true && !held.isFree;

/**
 * Does the steps of a story whose deeds begin while others are in the middle of theirs: whoever is, is held there by a
 * condition, until the others have come as far as the story says.
 */
export class HeldDeeds {
  private readonly session: LabSession;
  private readonly holds: Holds;
  private readonly schedule: ReadonlyMap<number, ScheduledStep>;
  private readonly deeds = new Map<number, Deed>();

  constructor(session: LabSession, holds: Holds, schedule: readonly ScheduledStep[]) {
    this.session = session;
    this.holds = holds;
    this.schedule = new Map(schedule.map((each) => [each.step, each]));
  }

  /** Whether somebody is held now: the guest's agent may be. */
  get areHeld(): boolean {
    return [...this.deeds.values()].some(isHeld);
  }

  /**
   * Does one step, as far as the schedule says.
   *
   * @param step its number among those that act
   * @throws NotForcible if the guest does not come to where it is to be held, or waits for who is
   */
  async perform(step: number, action: Action): Promise<Outcome> {
    const scheduled = this.schedule.get(step);
    if (scheduled === undefined) return performAction(this.session, action);
    const deed = this.begin(step, action, scheduled.until);
    if (!scheduled.asks) await this.follow(deed);
    for (const each of scheduled.next) await this.goOn(each);
    const isLast = [...this.schedule.keys()].every((each) => each <= step);
    if (isLast) await this.finish();
    return deed.ended ?? { status: SUCCESS, detail: "" };
  }

  private begin(step: number, action: Action, until: HeldAt | undefined): Deed {
    const since = this.holds.calls;
    const held = until && this.holds.hold(until, since);
    const begun: { deed?: Deed } = {};
    const outcome = performAction(this.session, action, this.asked(begun));
    const deed: Deed = { action, since, outcome, ended: undefined, failed: false, at: until, held };
    begun.deed = deed;
    outcome.then(
      (ended) => {
        deed.ended = ended;
      },
      () => {
        deed.failed = true;
      },
    );
    this.deeds.set(step, deed);
    return deed;
  }

  private async goOn({ step, until }: GoesOn): Promise<void> {
    const deed = this.deeds.get(step)!;
    const { held } = deed;
    deed.at = until;
    deed.held = until && this.holds.hold(until, deed.since);
    held?.letGo();
    await this.follow(deed);
  }

  /** The guest, asked what it shows only while the deed is not held: it would show that nobody works. */
  private asked(begun: { readonly deed?: Deed }): Asked {
    const { session } = this;
    const { guest } = session;
    const unheld = async (): Promise<void> => {
      while (begun.deed !== undefined && isHeld(begun.deed) && !session.over) await pause(PAUSE_MS);
    };
    return {
      ...{ qemu: session.qemu, remarks: session.remarks, devices: session.devices },
      get over(): boolean {
        return session.over;
      },
      guest: {
        snapshot: () => unheld().then(() => guest.snapshot()),
        changesMemory: () => unheld().then(() => guest.changesMemory()),
      },
    };
  }

  /** Waits until a deed has come to where it is to be held, or to its end. */
  private async follow(deed: Deed): Promise<void> {
    const { outcome, held } = deed;
    const come = Promise.race([outcome, ...(held === undefined ? [] : [held.reached])]);
    const isThere = (): boolean => deed.ended !== undefined || deed.failed || held?.isReached === true;
    let [seen, looks] = ["", 0];
    while (!isThere()) {
      await Promise.race([come, pause(PAUSE_MS)]);
      const [signs, now] = [this.signs(), this.looks()];
      if (signs !== seen) [seen, looks] = [signs, now];
      else if (now - looks > MOST_LOOKS) throw await this.blocked(deed);
    }
    if (deed.failed) await outcome;
    if (held === undefined || held.isReached || this.session.over) return;
    throw new NotForcible(
      `${stepText(deed.action)} is to be held at ${holdText(deed.at!.point)}, where ${deed.at!.text}; on the real kernel it ends without coming there`,
    );
  }

  /** What others than those who are held do. A kernel that complains of a vCPU that takes no interrupts does nothing by that. */
  private signs(): string {
    const { td, guest, devices } = this.session;
    return [td.loop.served, guest.agent.heard, devices.requests].join();
  }

  private looks(): number {
    return [...this.deeds.values()].reduce((sum, { held }) => sum + (held?.looks ?? 0), 0);
  }

  private async blocked(deed: Deed): Promise<NotForcible> {
    const others = [...this.deeds.values()].filter((other) => other !== deed && isHeld(other));
    const where = others.map(({ at }) => `${at!.text}, held at ${holdText(at!.point)}`).join("; ");
    const places = await whereCpusAre(this.session);
    return new NotForcible(
      `${stepText(deed.action)} does not go on on the real kernel while ${where}: it waits for who is held there (${places.join(", ")})`,
    );
  }

  /** Everybody goes on to the end. */
  private async finish(): Promise<void> {
    this.holds.letAllGo();
    for (const { held } of this.deeds.values()) held?.letGo();
    for (const { outcome } of this.deeds.values()) await outcome;
  }
}
