import type { LineRule } from "../text/line-reader.ts";
import { BOOT_RULES } from "./boot-rules.ts";
import { CONFIDENTIAL_RULES } from "./confidential-rules.ts";
import { HOTPLUG_RULES } from "./hotplug-rules.ts";
import { MEMORY_MAP_RULES } from "./memory-map-rules.ts";

/** Every line of a kernel log that is read. */
export const LOG_RULES: readonly LineRule[] = [
  ...BOOT_RULES,
  ...MEMORY_MAP_RULES,
  ...CONFIDENTIAL_RULES,
  ...HOTPLUG_RULES,
];

const RUNTIME_MAP = "efi: EFI runtime";

/** Whether a line is the heading of the kernel's second EFI memory map, whole or wrapped. */
export const headsRuntimeMap = (text: string): boolean =>
  text.includes(RUNTIME_MAP) && /efi: EFI runtime(?: memory|\s*$)/.test(text);

/** What a line says, and by which rule. */
export interface Match {
  readonly rule: LineRule;
  readonly match: RegExpExecArray;
}

export const ruleFor = (text: string): Match | undefined => {
  for (const rule of LOG_RULES) {
    if (!text.includes(rule.literal)) continue;
    const match = rule.pattern.exec(text);
    if (match !== null) return { rule, match };
  }
  return undefined;
};

/** The rule of which a line has the beginning. */
export const begins = (text: string): LineRule | undefined =>
  LOG_RULES.find(({ literal, begun }) => begun !== undefined && text.includes(literal) && begun.test(text));

/** What the lines of each rule have, without the space at which a line may have been wrapped. */
export const LOG_LITERALS: readonly string[] = [
  ...new Set([
    ...LOG_RULES.map(({ literal }) => (literal.startsWith(" ") ? literal : literal.trimEnd())),
    RUNTIME_MAP,
  ]),
];

/** Whether a line has what lines of some rule have. */
export const hasLiteral = (text: string): boolean => LOG_LITERALS.some((literal) => text.includes(literal));
