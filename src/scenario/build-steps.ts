import { buildExpectations } from "./build-expectations.ts";
import type { Action, Step, WaitFor } from "./scenario.ts";
import type { Path, Place } from "./scenario-error.ts";
import type { ActionDraft, StepDraft } from "./schema/step-schema.ts";
import type { Source } from "./yaml-tree.ts";

/** Turns a step as written (one key and its value) into a step with a kind and a place. */
export const buildStep = (draft: StepDraft, path: Path, source: Source): Step => {
  const place = source.placeOf(path);
  if (draft.parallel !== undefined) {
    const actions = draft.parallel.map((inner, i) =>
      buildAction(inner, source.placeOf([...path, "parallel", i])),
    );
    return { kind: "parallel", actions, place };
  }
  if (draft.wait !== undefined) {
    const waitFor = buildWaitFor(draft.wait.for, [...path, "wait", "for"], source);
    return { kind: "wait", for: waitFor, timeoutNs: draft.wait.timeout, place };
  }
  if (draft.expect !== undefined) {
    return {
      kind: "expect",
      expectations: buildExpectations(draft.expect, [...path, "expect"], source),
      place,
    };
  }
  if (draft.note !== undefined) return { kind: "note", text: draft.note, place };
  return buildAction(draft, place);
};

/** What `kexec` means without values. */
const SAME_KERNEL = {
  kernel: null,
  revert: null,
  design: null,
  image: "bzImage",
  syscall: "kexec_file_load",
} as const;

type WaitDraft = NonNullable<StepDraft["wait"]>["for"];

const buildWaitFor = (draft: WaitDraft, path: Path, source: Source): WaitFor => {
  if (draft === "idle") return { kind: "idle" };
  if (typeof draft === "number") return { kind: "time", ns: draft };
  return { kind: "condition", expectations: buildExpectations(draft, path, source) };
};

const buildAction = (draft: ActionDraft, place: Place): Action => {
  const [kind, value] = Object.entries(draft).find(([, given]) => given !== undefined) ?? ["boot", null];
  switch (kind as keyof ActionDraft) {
    case "boot":
      return { kind: "boot", place };
    case "reset":
      return { kind: "reset", place };
    case "kexec":
      return { kind: "kexec", ...SAME_KERNEL, ...draft.kexec, place };
    case "crash":
      return { kind: "crash", place };
    case "touch": {
      const { kind: access, ...rest } = draft.touch!;
      return { kind: "touch", access, ...rest, place };
    }
    case "online":
      return { kind: "online", blocks: draft.online!.block, as: draft.online!.kind, place };
    case "host":
      return { kind: "host", deed: draft.host!, place };
    case "offline":
      return { kind: "offline", blocks: draft.offline!.block, place };
    default:
      // The other steps have the same fields here as in the file.
      return { kind, ...(value as object), place } as Action;
  }
};
