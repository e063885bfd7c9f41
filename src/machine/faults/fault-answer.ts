import { OPERAND_ID } from "../../abi/tdx/operand-id.ts";
import { type Status, statusFromWord, statusName, statusText, withDetails } from "../../abi/tdx/status.ts";
import { tdmrDetailsOf } from "../../abi/tdx/tdmr-status.ts";
import { type FaultBoundary, type FaultCall, OWN_ANSWER } from "./fault-calls.ts";
import { callOf, type FaultRule } from "./fault-points.ts";

const LEAVES: readonly FaultBoundary[] = ["tdcall", "seamcall", "creation"];
const isLeaf = ({ boundary }: FaultCall): boolean => LEAVES.includes(boundary);

/** `level 1`, an operand's name, what TDH.SYS.CONFIG blames (`TDMR 1, 4K`), or a number below 2^32. */
const detailsOf = (text: string): number | undefined => {
  const operands: { readonly [name: string]: number } = OPERAND_ID;
  const number = /^(?:level )?(0x[0-9a-f]{1,8}|\d{1,10})$/i.exec(text)?.[1];
  const details = number === undefined ? (operands[text] ?? tdmrDetailsOf(text)) : Number(number);
  return details !== undefined && details < 2 ** 32 ? details : undefined;
};

/** The status in a 64-bit word, if it is of a kind that the call answers. */
const fromWord = (call: FaultCall, text: string): number | undefined => {
  const word = statusFromWord(BigInt(text));
  return word !== undefined && call.answers.has(statusName(word)) ? word : undefined;
};

/**
 * What a scenario says a call answers: a name, a status with its details such as `OPERAND_BUSY(SEPT_TREE)`, or
 * the 64-bit word.
 *
 * @returns undefined if the call cannot answer so
 */
export const answerOf = (call: FaultCall, text: string): number | undefined => {
  const known = call.answers.get(text);
  if (known !== undefined) return known;
  if (!isLeaf(call)) return undefined;
  if (/^0x[0-9a-f]{1,16}$/i.test(text)) return fromWord(call, text);
  const parts = /^([A-Z0-9_]+)\(([^()]+)\)$/.exec(text);
  const kind = call.answers.get(parts?.[1] ?? "");
  const details = detailsOf(parts?.[2] ?? "");
  return kind === undefined || kind < 0 || details === undefined
    ? undefined
    : withDetails(kind as Status, details);
};

/** The answer as a scenario would write it; `late` for one that only comes late. */
export const answerText = (rule: FaultRule): string => {
  const { answer } = rule;
  if (answer === OWN_ANSWER) return "late";
  const call = callOf(rule);
  if (isLeaf(call) && answer >= 0) return statusText(answer as Status);
  return [...call.answers].find(([, number]) => number === answer)?.[0] ?? String(answer);
};
