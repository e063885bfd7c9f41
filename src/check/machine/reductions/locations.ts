import type { Machine } from "../../../machine/machine.ts";
import type { Programs } from "../configurations/programs.ts";
import type { Futures } from "./futures.ts";

const NOWHERE = -1;

/** Whether it is the number of a location, and not that of nowhere. */
export const isSomewhere = (location: number): boolean => location !== NOWHERE;

/** Where everybody is in their work: actors at steps of procedures, people at places of their programs. */
export class Locations {
  private readonly machine: Machine;
  private readonly programs: Programs;
  private readonly futures: Futures;
  private readonly path: number[] = [];

  constructor(machine: Machine, programs: Programs, futures: Futures) {
    this.machine = machine;
    this.programs = programs;
    this.futures = futures;
  }

  /** Number of the location of an actor that has work, or of a program: those come behind the actors. */
  of(actor: number): number {
    const { machine, programs, path, futures } = this;
    const { actors } = machine.tasks;
    path[0] = actor;
    if (actor < actors.length) return futures.at(path, actors[actor]!.frame.placesInto(path, 1));
    path[1] = programs.places[actor - actors.length]!;
    return futures.at(path, 2);
  }

  /** By actor and program; -1 if it has nothing to do. */
  all(): number[] {
    const { machine, programs } = this;
    const { actors } = machine.tasks;
    return [
      ...actors.map(({ idle }, actor) => (idle ? NOWHERE : this.of(actor))),
      ...programs.all.map(({ deeds }, program) =>
        programs.places[program]! < deeds.length ? this.of(actors.length + program) : NOWHERE,
      ),
    ];
  }

  /**
   * Locations of all who may do something before an actor that has work takes a step. Whoever waits until nobody has any work does
   * not, nor does the user whose task the actor is.
   */
  others(actor: number): number[] {
    const { machine, programs } = this;
    const { actors } = machine.tasks;
    return this.all().filter((location, at) => {
      if (location === NOWHERE || at === actor) return false;
      const program = at - actors.length;
      return program < 0 || (programs.all[program]!.when === "any time" && !programs.isOf(program, actor));
    });
  }
}
