import type { Comparison, Expectation } from "./expectation.ts";
import type { HostDeed } from "./host-spec.ts";
import { formatAddress, formatDuration, formatRange, formatSize } from "./quantity.ts";
import type { BlockRange, Step, Target } from "./scenario.ts";

const blocksText = ({ first, last }: BlockRange): string =>
  first === last ? `memory${first}` : `memory${first}-${last}`;

const targetText = (target: Target): string =>
  target.kind === "name" ? target.name : formatAddress(target.gpa);

const kexecText = ({ kernel, design, image }: Step & { kind: "kexec" }): string =>
  ["kexec", kernel, design, image === "vmlinux" ? image : null].filter((word) => word !== null).join(" ");

/** A step in the words of its scenario, without its defaults. */
export const stepText = (step: Step): string => {
  switch (step.kind) {
    case "plug":
      return `plug ${step.dimm} ${formatSize(step.size)}`;
    case "unplug":
      return `unplug ${step.dimm}`;
    case "resize":
      return `resize ${step.device} to ${formatSize(step.to)}`;
    case "allocate":
      return `allocate ${step.name} ${formatSize(step.size)}`;
    case "free":
    case "share":
    case "unshare":
      return `${step.kind} ${step.name}`;
    case "kexec":
      return kexecText(step);
    case "touch":
      return `${step.access} ${targetText(step.target)}`;
    case "read":
      return `read across ${formatAddress(step.across)}`;
    case "remap":
      return `remap ${formatRange(step.at, step.at + step.size)}`;
    case "pressure":
      return `pressure to ${formatSize(step.leave)}`;
    case "online":
      return `${step.as} ${blocksText(step.blocks)}`;
    case "offline":
      return `offline ${blocksText(step.blocks)}`;
    case "host":
      return hostText(step.deed);
    case "parallel":
      return `at once: ${step.actions.map(stepText).join(" | ")}`;
    case "wait":
      return waitText(step.for);
    case "note":
      return step.text.trim();
    default:
      return step.kind;
  }
};

/** A moment of a play, by the step that it comes before or after. */
export const momentText = (when: "before" | "after", step: Step | undefined): string =>
  step === undefined ? `${when} the scenario` : `${when} ${stepText(step)} (line ${step.place.line})`;

const hostText = (deed: HostDeed): string => {
  switch (deed.deed) {
    case "enable":
      return "host brings TDX up";
    case "hotAdd":
      return `host adds ${formatRange(deed.at, deed.at + deed.size)}`;
    case "online":
      return `host onlines ${blocksText(deed.blocks)}`;
    case "privateMemory":
      return `host gives a TD ${formatSize(deed.size)}`;
  }
};

const waitText = (what: (Step & { kind: "wait" })["for"]): string => {
  if (what.kind === "idle") return "wait until idle";
  if (what.kind === "time") return `wait ${formatDuration(what.ns)}`;
  return `wait for ${what.expectations.map(expectationText).join(", ")}`;
};

const testText = (subject: string, { operator, text }: Comparison): string =>
  operator === "=" && !text.startsWith("=")
    ? `${subject} = ${text}`
    : `${subject} ${operator === "in" ? "in " : ""}${text}`;

const MOST_FACTS = 8;

const factsText = (facts: object): string =>
  Object.entries(facts)
    .slice(0, MOST_FACTS)
    .map(([key, value]) => {
      if (typeof value !== "object" || value === null) return `${key} ${String(value)}`;
      return "text" in value ? testText(key, value as Comparison) : key;
    })
    .join(", ");

const WAIT_WORDS = {
  longestIrqsOff: "longest time with interrupts off",
  longestSpin: "longest spin",
} as const;

/** An expectation in a few words, for tables. */
export const expectationText = (expectation: Expectation): string => {
  if (expectation.kind === "longest-wait") return testText(WAIT_WORDS[expectation.wait], expectation.test);
  switch (expectation.kind) {
    case "counter":
      return testText(expectation.name, expectation.test);
    case "change":
      return testText(`change of ${expectation.name}`, expectation.test);
    case "range":
      return `${formatRange(expectation.start, expectation.end)}: ${factsText(expectation.facts)}`;
    case "bitmap":
      return `bitmap: ${factsText(expectation.facts)}`;
    case "no-bitmap":
      return "no bitmap";
    case "dmesg":
    case "iomem":
    case "host-dmesg":
      return `${expectation.kind.replace("-", " ")} ${expectation.line.mode} ${JSON.stringify(expectation.line.text)}`;
    case "tdcalls":
      return testText(expectation.leaf, expectation.test);
    case "exits":
    case "virtual-time":
    case "block-size":
      return testText(expectation.kind.replace("-", " "), expectation.test);
    case "block-count":
      return testText(`blocks ${expectation.state}`, expectation.test);
    case "block-state":
      return `${blocksText(expectation.blocks)} ${expectation.state}`;
    case "device":
      return `${expectation.id}: ${factsText(expectation.facts)}`;
    case "machine":
    case "host-state":
      return `${expectation.kind.replace("-state", "")} ${expectation.state}`;
    case "host-fact":
      return testText(`host ${expectation.fact}`, expectation.test);
    case "status":
      return `status ${expectation.status}`;
    default:
      return `${expectation.invariant} is broken`;
  }
};
