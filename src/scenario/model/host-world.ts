import { HostActor, type HostEvent, type HostFacts } from "../../machine/host-actor.ts";
import type { TdHost } from "../../machine/td-host.ts";
import { ERRNO, errnoText } from "../../tdx-host/errno.ts";
import type { HostFaults } from "../../tdx-host/host-kernel.ts";
import type { HostDeed, HostSpec } from "../host-spec.ts";
import type { Platform } from "../scenario.ts";
import { type Outcome, SUCCESS, type TraceEvent } from "../world.ts";

/** Steps and time are the machine's: what the host does takes none. */
export type Moment = () => { readonly step: number; readonly ns: number };

/** The host of a scenario in the model world. */
export class HostWorld {
  private readonly actor: HostActor;

  private readonly hasTdx: boolean;

  constructor(
    spec: HostSpec,
    platform: Platform,
    moment: Moment,
    tell: (event: TraceEvent) => void,
    faults: HostFaults | undefined,
  ) {
    this.hasTdx = platform === "tdx";
    this.actor = new HostActor(spec, (event) => tell(traceEvent(event, moment())), faults);
  }

  /** A host of another maker has no TDX to bring up, and Linux no reason to refuse memory there. */
  perform(deed: HostDeed): Outcome {
    if (deed.deed === "enable" && !this.hasTdx)
      return { status: "-ENODEV", detail: "the processor of this host has no TDX" };
    const error = this.begin(deed);
    if (error === 0) return { status: SUCCESS, detail: "" };
    return { status: errnoText(error), detail: this.actor.detailOf(error) };
  }

  private begin(deed: HostDeed): number {
    switch (deed.deed) {
      case "enable":
        return this.actor.enable();
      case "hotAdd":
        return this.actor.hotAdd({ start: deed.at, end: deed.at + deed.size, node: deed.node });
      case "online":
        return this.actor.online(deed.blocks.first, deed.blocks.last);
      case "privateMemory":
        return this.actor.privateMemory(deed.size);
    }
  }

  /** What the TD of the scenario runs on, or why there can be none. Undefined: what is no TD needs no TDX host. */
  lend(vcpus: number): TdHost | Outcome | undefined {
    if (!this.hasTdx) return undefined;
    const host = this.actor.lend(vcpus);
    if (typeof host !== "number") return host;
    return { status: errnoText(host), detail: this.whyNoTd(host) };
  }

  private whyNoTd(error: number): string {
    if (error === ERRNO.EINVAL)
      return "the VMM finds no TDX on its host: bring it up first, by a step `host: enable`";
    if (error === ERRNO.ENOMEM) return "the host has no memory for the TD's control structures";
    return `the host's first page for the TD lies in memory that TDX has no metadata for: ${this.actor.refusedCall}`;
  }

  facts(): HostFacts {
    return this.actor.facts();
  }
}

const traceEvent = (
  { actor, what, start, end, status, count }: HostEvent,
  { step, ns }: ReturnType<Moment>,
): TraceEvent => ({
  step: Math.max(1, step),
  ns,
  actor,
  vcpu: null,
  what,
  start: start === end ? null : start,
  end: start === end ? null : end,
  status,
  stateAfter: null,
  count,
});
