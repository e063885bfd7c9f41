import * as z from "zod";
import { DESIGN_NAMES } from "../../designs/designs.ts";
import { FIX_NAMES } from "../../linux/variant.ts";
import { FAULT_CALL_NAMES, FAULT_CALLS } from "../../machine/faults/fault-calls.ts";
import { PLATFORM_NAMES } from "../../machine/guest-platform.ts";
import { INVARIANTS } from "../../machine/invariants/table.ts";
import { describe, oneLine } from "../../scenario/scenario-error.ts";
import type { MachineConfiguration, Program } from "../machine/configurations/configuration.ts";
import { PLACEMENTS } from "../machine/configurations/placement.ts";
import { SIGNS } from "../machine/configurations/signs.ts";
import { PROGRESS } from "../machine/progress.ts";
import type { Run, Story } from "./story.ts";

const FORMAT = "tidemark-story-1";

/** A file that is no saved story. The message is one line. */
export class StoryFileError extends Error {
  override name = "StoryFileError";
}

const units = z.int().min(0).max(64);
/** What a configuration's rules may name: invariants, signs, and the two ways in which a run ends. */
const RULES = [...[...INVARIANTS, ...SIGNS].map(({ id }) => id), PROGRESS, "end"];
const someUnits = z.int().min(1).max(64);
/** It is printed as it is: nothing in it moves the cursor. */
const name = z.string().regex(/^[ -~]{1,64}$/, "1 to 64 printable ASCII characters");
const deed = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("resize"), to: units }),
  z.strictObject({ do: z.enum(["plug", "unplug"]), slot: z.int().min(0).max(7).optional() }),
  z.strictObject({ do: z.literal("allocate"), units, as: name, pinned: z.boolean().optional() }),
  z.strictObject({ do: z.literal("free"), as: name }),
  z.strictObject({ do: z.enum(["share", "unshare"]), as: name }),
  z.strictObject({ do: z.literal("kexec"), syscall: z.enum(["kexec_file_load", "kexec_load"]).optional() }),
  z.strictObject({ do: z.literal("read"), across: units }),
  z.strictObject({ do: z.literal("online"), block: units }),
  z.strictObject({ do: z.literal("offline"), block: units }),
]);

const saved = z.strictObject({
  format: z.literal(FORMAT),
  violation: z.string(),
  atRest: z.boolean(),
  roundFrom: z.int().min(0).optional(),
  path: z.array(z.int().min(0).max(65535)).max(1_000_000),
  configuration: z.strictObject({
    name,
    design: z.enum(DESIGN_NAMES),
    vcpus: z.int().min(1).max(8),
    staticUnits: someUnits,
    blockUnits: z.literal([2, 4, 64]),
    device: z.strictObject({ kind: z.enum(["virtio-mem", "dimm"]), units: someUnits }),
    dimmUnits: units.optional(),
    slots: z.int().min(1).max(8).optional(),
    accept: z.enum(["lazy", "eager"]),
    memmapOnMemory: z.boolean(),
    pageRelease: z.boolean(),
    discard: z.enum(["none", "shared-only", "both"]),
    unplugged: z.enum(["allocate", "kill", "spin"]),
    aug: z.enum(["fault", "ahead"]),
    revert: z.array(z.enum(FIX_NAMES)).max(FIX_NAMES.length),
    before: z.array(deed).max(100),
    programs: z
      .array(
        z.strictObject({
          by: z.union([z.literal("operator"), z.strictObject({ user: z.int().min(0).max(7) })]),
          deeds: z.array(deed).max(100),
          when: z.enum(["any time", "at rest"]),
        }),
      )
      .max(16),
    fault: z
      .strictObject({
        ...{ call: z.enum(FAULT_CALL_NAMES), answer: name },
        times: z.int().min(1).max(1000).optional(),
      })
      .nullable(),
    rules: z.array(z.enum(RULES)).max(64),
    platform: z.enum(PLATFORM_NAMES).optional(),
    bigBlocks: z.boolean().optional(),
    zone: z.enum(["kernel", "movable", "none"]).optional(),
    placement: z.enum(PLACEMENTS).optional(),
  }),
});

/** A story as a file that can be replayed. */
export const storyFile = (configuration: MachineConfiguration, story: Story): string => {
  const { violation, atRest, path, roundFrom } = story;
  return `${JSON.stringify({ format: FORMAT, violation, atRest, roundFrom, path, configuration })}\n`;
};

export interface SavedStory extends Run {
  readonly configuration: MachineConfiguration;
  /** What it breaks: the rule's number first. */
  readonly violation: string;
}

/** A value that a story cannot have. */
interface Misfit {
  readonly where: string;
  readonly expected: string;
  readonly found: unknown;
}

/** What of a story does not fit the rest of it. A machine cannot be made of that, or plays something else. */
const misfitOf = ({ configuration, path, roundFrom }: SavedStory): Misfit | undefined => {
  const { vcpus, device, fault, before, programs } = configuration;
  const resize = [{ deeds: before, where: "before" }, ...programs.map(placed)]
    .flatMap(({ deeds, where }) => deeds.map((deed, at) => ({ deed, where: `configuration.${where}.${at}` })))
    .map(({ deed, where }) => ({ where, found: deed.do === "resize" ? deed.to : 0 }))
    .find(({ found }) => found > device.units);
  if (resize !== undefined) return { ...resize, expected: `at most the device's ${device.units} units` };
  const user = programs
    .map(({ by }, at) => ({
      where: `configuration.programs.${at}.by`,
      found: by === "operator" ? 0 : by.user,
    }))
    .find(({ found }) => found >= vcpus);
  if (user !== undefined) return { ...user, expected: `a user of one of ${vcpus} vCPUs, counted from 0` };
  if (roundFrom !== undefined && roundFrom >= path.length)
    return {
      where: "roundFrom",
      expected: `less than the ${path.length} steps of the path`,
      found: roundFrom,
    };
  const answers = FAULT_CALLS.find((call) => call.name === fault?.call)?.answers;
  if (fault === null || answers?.has(fault.answer) === true) return undefined;
  return {
    where: "configuration.fault.answer",
    expected: `an answer of ${fault.call}`,
    found: fault.answer,
  };
};

const placed = ({ deeds }: Program, at: number) => ({ deeds, where: `programs.${at}.deeds` });

/** The value at a path of keys. */
const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    root,
  );

/** Types of the schema in a user's words. */
const TYPES: { readonly [type: string]: string } = {
  ...{ int: "a whole number", number: "a number", string: "a text", boolean: "true or false" },
  ...{ object: "a map", array: "a list" },
};
/** Names told of those that a value may have. */
const MOST_NAMES = 8;

/** What the schema expects where something else was found. */
const expectedOf = (issue: z.core.$ZodIssue): string => {
  if (issue.code === "invalid_type") return TYPES[issue.expected] ?? issue.expected;
  const several = "origin" in issue && issue.origin === "array" ? " elements" : "";
  if (issue.code === "too_small") return `at least ${issue.minimum}${several}`;
  if (issue.code === "too_big") return `at most ${issue.maximum}${several}`;
  if (issue.code === "unrecognized_keys") return `no ${issue.keys.join(", ")}`;
  if (issue.code === "invalid_format") return issue.message;
  if (issue.code !== "invalid_value") return "what tidemark check --save writes there";
  const names = issue.values.map((value) => describe(value));
  const more = names.length > MOST_NAMES ? " or others" : "";
  return names.length === 1 ? names.join() : `one of ${names.slice(0, MOST_NAMES).join(", ")}${more}`;
};

/** What a saved story says. @throws StoryFileError */
export const readStory = (file: string, text: string): SavedStory => {
  const root = parsed(file, text);
  const result = saved.safeParse(root);
  if (!result.success) {
    const [issue] = result.error.issues;
    const path = issue?.path ?? [];
    const expected = issue === undefined ? "a story" : expectedOf(issue);
    throw wrong(file, { where: path.join("."), expected, found: valueAt(root, path) });
  }
  const misfit = misfitOf(result.data);
  if (misfit !== undefined) throw wrong(file, misfit);
  return result.data;
};

const wrong = (file: string, { where, expected, found }: Misfit): StoryFileError =>
  new StoryFileError(
    oneLine(
      `${[file, where].filter((part) => part !== "").join(": ")}: expected ${expected}, found ${describe(found)}; save it anew with tidemark check --save`,
    ),
  );

const parsed = (file: string, text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StoryFileError(
      `${file}: expected a story saved by tidemark check --save, found no JSON; save it anew`,
      {
        cause: error,
      },
    );
  }
};
