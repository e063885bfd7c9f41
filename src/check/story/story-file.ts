import * as z from "zod";
import { FIX_NAMES } from "../../linux/variant.ts";
import { FAULT_CALL_NAMES } from "../../machine/faults/fault-calls.ts";
import { PLATFORM_NAMES } from "../../machine/guest-platform.ts";
import type { MachineConfiguration } from "../machine/configurations/configuration.ts";
import { PLACEMENTS } from "../machine/configurations/placement.ts";
import type { Run, Story } from "./story.ts";

const FORMAT = "tidemark-story-1";

/** A file that is no saved story. The message is one line. */
export class StoryFileError extends Error {
  override name = "StoryFileError";
}

const units = z.int().min(0).max(64);
const name = z.string().min(1).max(64);
const deed = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("resize"), to: units }),
  z.strictObject({ do: z.literal("plug") }),
  z.strictObject({ do: z.literal("unplug") }),
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
    design: name,
    vcpus: z.int().min(1).max(8),
    staticUnits: units,
    blockUnits: z.union([z.literal(2), z.literal(4), z.literal(64)]),
    device: z.strictObject({ kind: z.enum(["virtio-mem", "dimm"]), units }),
    dimmUnits: units.optional(),
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
    rules: z.array(name).max(64),
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

/** What a saved story says. @throws StoryFileError */
export const readStory = (file: string, text: string): SavedStory => {
  const result = saved.safeParse(parsed(file, text));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new StoryFileError(
    `${file}: ${issue?.path.join(".") ?? ""}: expected a story saved by tidemark check --save, found ${issue?.message ?? "another file"}; save it anew`,
  );
};

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
