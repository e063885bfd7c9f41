import type { FateState } from "./expectation.ts";
import { expectationsOf } from "./expectations-of.ts";
import { lineMatcher } from "./line-test.ts";
import type { Judgement } from "./report.ts";
import type { Scenario } from "./scenario.ts";
import type { Place } from "./scenario-error.ts";
import type { Oops, World } from "./world.ts";

/** Oopses that were first seen behind one step: a part of the world's list. */
interface Told {
  readonly place: Place;
  readonly from: number;
  readonly end: number;
}

const SUBJECT = "the guest's kernel goes on without an oops";
const ENDED: readonly FateState[] = ["panicked", "killed"];

/**
 * A kernel that oopses ends who met it and goes on, and the step may be answered well all the same. Each is a failure,
 * unless an expectation of the kernel's log names it.
 */
export class OopsWatch {
  private readonly world: World;
  private readonly told: Told[] = [];
  private seen = 0;

  constructor(world: World) {
    this.world = world;
  }

  /** Looks for new ones behind a step. Those of a machine that died of it are told of by its fate. */
  async look(place: Place): Promise<void> {
    const from = this.seen;
    const end = (await this.world.oopses?.())?.length ?? 0;
    const { state } = await this.world.fate();
    this.seen = end;
    if (end > from && !ENDED.includes(state)) this.told.push({ place, from, end });
  }

  /** One judgement for each step that had any of which the scenario does not speak. */
  async judgements({ expect, steps }: Scenario): Promise<Judgement[]> {
    const all = (await this.world.oopses?.()) ?? [];
    const expectations = [...expect, ...steps.flatMap(expectationsOf)];
    const named = expectations.flatMap((each) => (each.kind === "dmesg" ? [lineMatcher(each.line)] : []));
    const isNamed = ({ lines }: Oops): boolean => named.some((names) => lines.some(names));
    return this.told.flatMap(({ place: { line, column }, from, end }) => {
      const [first, ...more] = all.slice(from, end).filter((oops) => !isNamed(oops));
      if (first === undefined) return [];
      const found = more.length === 0 ? first.text : `${first.text}, and ${more.length} more`;
      return [{ line, column, what: SUBJECT, held: false, expected: "none", found, implicit: true }];
    });
  }
}
