import type { Machine } from "../../../machine/machine.ts";

/** Notes whether the rules that count what a zone has were told something since somebody looked. What they keep of it is theirs alone. */
export class RuleCalls {
  /** Memory that only they look at. */
  readonly views: readonly ArrayBufferView[];
  called = false;

  constructor(machine: Machine) {
    const { observer } = machine.kernel.zones;
    this.views = machine.watch?.views() ?? [];
    if (observer === undefined) return;
    const { counts, takes, shrinks } = observer;
    observer.counts = (task, zone) => {
      this.called = true;
      counts.call(observer, task, zone);
    };
    observer.takes = (task, zone, flags) => {
      this.called = true;
      takes.call(observer, task, zone, flags);
    };
    observer.shrinks = (zone) => {
      this.called = true;
      shrinks.call(observer, zone);
    };
  }
}
