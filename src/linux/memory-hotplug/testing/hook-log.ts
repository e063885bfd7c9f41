import type { Design, Hooks } from "../../design.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../../kernel.ts";

const NAMES = [
  ...["addMemory", "addMemoryFailed", "altmapAdd", "altmapAddFailed", "memoryAdded", "removeMemory"],
  ...["altmapRemoved", "memoryRemoved", "goingOnline", "virtioPlugged", "virtioUnplug"],
  ...["virtioUnplugAnswered", "virtioUnplugAll", "virtioUnplugAllAnswered", "fakeOnlineContiguous"],
] as const satisfies readonly (keyof Hooks)[];
export type HookName = (typeof NAMES)[number];

interface Script {
  readonly log: string[];
  /** Answer of a hook by name; default 0. */
  readonly answers: Partial<Record<HookName, number>>;
}
const scripts = new WeakMap<Kernel, Script>();

const hex = (n: number): string => n.toString(16);

const hook = (name: HookName) => {
  const { v, define } = KERNEL_PROCEDURES.declare(`logged ${name}`, {
    args: ["start", "size", "response"],
    locals: [],
    steps: ["enter"],
  });
  return define({
    enter: (k, f) => {
      const response = name.endsWith("Answered") ? ` ${f.get(v.response)}` : "";
      const script = scripts.get(k);
      script?.log.push(`${name} ${hex(f.get(v.start))}+${hex(f.get(v.size))}${response}`);
      return f.returns(script?.answers[name] ?? 0);
    },
  });
};

/** A design whose hooks write down that they were called. */
export const loggedHooks: Design = {
  name: "logged",
  title: "every hook notes its call",
  tableVersion: 1,
  stubScansSrat: false,
  hooks: Object.fromEntries(NAMES.map((name) => [name, hook(name)])),
};

/** Starts the log of a kernel that has this design; `answers` may change later. */
export const scriptHooks = (k: Kernel, answers: Script["answers"] = {}): Script => {
  const script = { log: [], answers };
  scripts.set(k, script);
  return script;
};
