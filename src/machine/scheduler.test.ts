import { expect, it } from "vitest";
import { BLOCKED } from "../flat/procedure.ts";
import { Prng } from "./prng.ts";
import { type Actor, Scheduler } from "./scheduler.ts";

const actor = (name: string, clock: number, step: () => number, ready = () => true): Actor => ({
  name,
  clock,
  idle: false,
  ready,
  step,
});

/** A scheduler in which everybody has work. */
const allAwake = (actors: readonly Actor[], clocks: number, seed: number): Scheduler => {
  const scheduler = new Scheduler(actors, clocks, seed);
  for (const index of actors.keys()) scheduler.wake(index);
  return scheduler;
};

it("lets the actor whose clock is behind go first", () => {
  const order: string[] = [];
  let scheduler: Scheduler;
  const worker = (name: string, clock: number, cost: number) =>
    actor(name, clock, () => {
      order.push(name);
      scheduler.charge(cost);
      return 0;
    });
  scheduler = allAwake([worker("slow", 0, 30_000), worker("fast", 1, 10_000)], 2, 1);
  for (let step = 0; step < 8; step++) scheduler.stepActor(scheduler.pick());
  expect(order.slice(2).filter((name) => name === "fast").length).toBeGreaterThanOrEqual(4);
  expect(scheduler.now).toBe(60_000);
});

it("asks a blocked actor again only after somebody else changed something", () => {
  let open = false;
  let asked = 0;
  const waiter = actor("waiter", 0, () => {
    asked++;
    return open ? 0 : BLOCKED;
  });
  const opener = actor("opener", 1, () => {
    open = true;
    return 0;
  });
  const scheduler = allAwake([waiter, opener], 2, 1);
  scheduler.stepActor(0);
  expect(scheduler.pick()).toBe(1);
  scheduler.stepActor(1);
  scheduler.stepActor(0);
  expect(asked).toBe(2);
});

it("moves the clock of an actor that waited to the time of the change it waited for", () => {
  let open = false;
  const waiter = actor("waiter", 0, () => (open ? 0 : BLOCKED));
  let scheduler: Scheduler;
  const opener = actor("opener", 1, () => {
    open = true;
    scheduler.charge(5000);
    return 0;
  });
  scheduler = allAwake([waiter, opener], 2, 1);
  scheduler.stepActor(0);
  scheduler.stepActor(1);
  scheduler.stepActor(0);
  expect(scheduler.clocks[0]).toBe(5000);
});

it("answers -1 when everybody is blocked or has nothing to do", () => {
  const scheduler = new Scheduler(
    [
      actor("a", 0, () => BLOCKED),
      actor(
        "b",
        0,
        () => 0,
        () => false,
      ),
    ],
    1,
    1,
  );
  scheduler.stepActor(0);
  expect(scheduler.pick()).toBe(-1);
});

it("draws the same order from the same seed and another one from another", () => {
  const orderOf = (seed: number): string => {
    const order: number[] = [];
    const actors = [0, 1, 2, 3].map((index) => actor(`a${index}`, index, () => order.push(index) * 0));
    const scheduler = allAwake(actors, 4, seed);
    for (let step = 0; step < 40; step++) scheduler.stepActor(scheduler.pick());
    return order.join("");
  };
  expect(orderOf(7)).toBe(orderOf(7));
  expect(new Set([1, 2, 3, 4, 5].map(orderOf)).size).toBe(5);
});

it("tells seeds apart that differ above 2^32, and draws every residue", () => {
  expect(new Prng(1).next()).not.toBe(new Prng(1 + 2 ** 32).next());
  const prng = new Prng(3);
  const seen = new Set(Array.from({ length: 200 }, () => prng.below(7)));
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

it("does not ask an actor without work, and asks it again once it was woken", () => {
  let left = 2;
  const worker = {
    name: "worker",
    clock: 0,
    get idle() {
      return left === 0;
    },
    ready: () => true,
    step: () => --left,
  };
  const scheduler = allAwake([worker], 1, 1);
  scheduler.stepActor(scheduler.pick());
  scheduler.stepActor(scheduler.pick());
  expect(scheduler.pick()).toBe(-1);
  left = 1;
  scheduler.wake(0);
  expect(scheduler.pick()).toBe(0);
});
