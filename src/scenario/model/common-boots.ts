import { DESIGNS } from "../../designs/designs.ts";
import { SharedBoots } from "../../machine/shared-boots.ts";
import type { Scenario } from "../scenario.ts";

interface Family {
  readonly scenario: Scenario;
  readonly boots: SharedBoots;
}

/** Whether two objects have the same fields, one aside; each field is the very same in both. */
const sameBut = (aside: string, a: object, b: object): boolean => {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => key === aside || Reflect.get(a, key) === Reflect.get(b, key));
};

const startsAnother = ({ steps }: Scenario): boolean =>
  steps.some(({ kind }) => kind === "kexec" || kind === "crash");

/** Boots that worlds have in common whose scenarios differ in nothing but the design, played one after the other. */
export class CommonBoots {
  private readonly families: Family[] = [];
  private readonly designs: readonly string[];

  /** @param designs names of those that will be played */
  constructor(designs: readonly string[]) {
    this.designs = designs;
  }

  /** Where the first boot of a scenario is shared; undefined if each has one of its own. */
  of(scenario: Scenario): SharedBoots | undefined {
    // Machines of one host would be one TD to it, and what firmware wrote is what the next kernel begins with.
    if (scenario.machine.host !== null || startsAnother(scenario)) return undefined;
    const known = this.families.find(
      (family) =>
        sameBut("guest", family.scenario, scenario) &&
        sameBut("design", family.scenario.guest, scenario.guest),
    );
    if (known !== undefined) return known.boots;
    const boots = new SharedBoots(DESIGNS.filter(({ name }) => this.designs.includes(name)));
    this.families.push({ scenario, boots });
    return boots;
  }
}
