import { expect, it } from "vitest";
import type { TdhLeaf } from "../abi/tdx/leaves.ts";
import { RCX } from "../abi/tdx/regs.ts";
import type { SeptState } from "../abi/tdx/sept-entry.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { ACCESS_OK, access, READ } from "./access.ts";
import { OneTd, type OneTdOptions } from "./one-td.ts";
import { type Outcome, TD_EXIT } from "./outcome.ts";

const A = 0x4000_0000;

/** Brings the entry for `A` at `level` to a state, in a TD without vCPUs inside, everything blocked also tracked. */
const stage = (state: SeptState, level: number, options: OneTdOptions = {}): OneTd => {
  const one = new OneTd({ enter: false, module: { behaviour: { blockUnreleased: "allow" } }, ...options });
  one.tables(A, level);
  if (state === "FREE") return one;
  if (state.startsWith("NL_")) one.tables(A, level - 1);
  else {
    one.aug(A, level);
    if (state === "MAPPED" || state === "BLOCKED") expect(one.accept(A, level)).toBe(0);
  }
  if (state.endsWith("BLOCKED")) {
    one.block(A, level);
    one.track();
  }
  expect(one.stateOf(A, level)).toBe(state);
  return one;
};

const text = (outcome: Outcome): string =>
  outcome === TD_EXIT ? "TD_EXIT" : statusText(outcome as Status).replace("(RCX)", "");

type Call = (one: OneTd, level: number) => string;
const onPage =
  (leaf: TdhLeaf): Call =>
  (one, level) =>
    text(one.onPage(leaf, A, level, { R8: one.page(level) }));
const withTable =
  (leaf: TdhLeaf): Call =>
  (one, level) =>
    text(one.onPage(leaf, A, level, { R8: one.takeFrame() * 4096 }));
const guest = (run: (one: OneTd, level: number) => Outcome): Call => {
  return (one, level) => {
    if (one.td.opState === 2) one.enter();
    return text(run(one, level));
  };
};

const CALLS: Readonly<Record<string, Call>> = {
  ADD: (one, level) => text(one.onPage("TDH.MEM.PAGE.ADD", A, level, { R8: one.page(), R9: 0x10_0000 })),
  AUG: onPage("TDH.MEM.PAGE.AUG"),
  "SEPT.ADD": withTable("TDH.MEM.SEPT.ADD"),
  "SEPT.RD": onPage("TDH.MEM.SEPT.RD"),
  "SEPT.REMOVE": onPage("TDH.MEM.SEPT.REMOVE"),
  BLOCK: onPage("TDH.MEM.RANGE.BLOCK"),
  UNBLOCK: onPage("TDH.MEM.RANGE.UNBLOCK"),
  REMOVE: onPage("TDH.MEM.PAGE.REMOVE"),
  DEMOTE: withTable("TDH.MEM.PAGE.DEMOTE"),
  PROMOTE: onPage("TDH.MEM.PAGE.PROMOTE"),
  ACCEPT: guest((one, level) => one.accept(A, level)),
  "ACCEPT.4K": guest((one) => one.accept(A, 0)),
  RELEASE: guest((one, level) => one.tdcall("TDG.MEM.PAGE.RELEASE", { RCX: A + level })),
  "RELEASE.4K": guest((one) => one.tdcall("TDG.MEM.PAGE.RELEASE", { RCX: A })),
  "ATTR.RD": guest((one) => one.tdcall("TDG.MEM.PAGE.ATTR.RD", { RCX: A })),
  "ATTR.WR": guest((one, level) => one.tdcall("TDG.MEM.PAGE.ATTR.WR", { RCX: A + level })),
  READ: (one) => {
    one.enter();
    return access(one.td, 0, A, READ) === ACCESS_OK ? "OK" : "TD_EXIT";
  },
};

/** Words of the tables. A word `>STATE` is SUCCESS and the state after; all others leave the state as it was. */
const WORDS: Readonly<Record<string, string>> = {
  ok: "SUCCESS",
  OK: "OK",
  wrong: "EPT_ENTRY_STATE_INCORRECT",
  blocked: "GPA_RANGE_ALREADY_BLOCKED",
  unblocked: "GPA_RANGE_NOT_BLOCKED",
  invalid: "OPERAND_INVALID",
  exit: "TD_EXIT",
  free: "EPT_ENTRY_FREE",
  merge: "EPT_INVALID_PROMOTE_CONDITIONS",
  running: "OP_STATE_INCORRECT(2)",
  accepted0: "PAGE_ALREADY_ACCEPTED(level 0)",
  accepted1: "PAGE_ALREADY_ACCEPTED(level 1)",
  size1: "PAGE_SIZE_MISMATCH(level 1)",
  size2: "PAGE_SIZE_MISMATCH(level 2)",
};

/** What really comes, in the words of the table. */
const wordOf = (result: string, before: string, after: string): string => {
  if (result === "SUCCESS" && before !== after) return `>${after}`;
  const word = Object.keys(WORDS).find((key) => WORDS[key] === result) ?? result;
  return before === after ? word : `${word}, yet ${after}`;
};

/** Plays each cell on a fresh stage and writes the table again with what really came. */
const play = (rows: readonly (readonly string[])[], level: number, options: OneTdOptions): string[][] => {
  const states = rows[0]!.slice(1) as SeptState[];
  return rows.slice(1).map(([call]) => [
    call!,
    ...states.map((state) => {
      const one = stage(state, level, options);
      return wordOf(CALLS[call!]!(one, level), state, one.stateOf(A, level));
    }),
  ]);
};

const table = (title: string, level: number, options: OneTdOptions, text: string): void => {
  it(title, () => {
    const rows = text
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/));
    const write = (cells: readonly (readonly string[])[]): string[] => cells.map((row) => row.join("  "));
    expect(write(play(rows, level, options))).toEqual(write(rows.slice(1)));
  });
};

table(
  "every leaf on every state of a 4 KiB entry of a running TD",
  0,
  { configFlags: 0x46n },
  `
  leaf         FREE      MAPPED     BLOCKED   PENDING           PENDING_BLOCKED
  ADD          running   running    running   running           running
  AUG          >PENDING  wrong      wrong     wrong             wrong
  SEPT.ADD     invalid   invalid    invalid   invalid           invalid
  SEPT.RD      ok        ok         ok        ok                ok
  SEPT.REMOVE  invalid   invalid    invalid   invalid           invalid
  BLOCK        wrong     >BLOCKED   blocked   >PENDING_BLOCKED  blocked
  UNBLOCK      wrong     wrong      >MAPPED   wrong             >PENDING
  REMOVE       wrong     unblocked  >FREE     unblocked         >FREE
  DEMOTE       invalid   invalid    invalid   invalid           invalid
  PROMOTE      invalid   invalid    invalid   invalid           invalid
  ACCEPT       exit      accepted0  exit      >MAPPED           exit
  RELEASE      free      >PENDING   wrong     wrong             wrong
  ATTR.RD      exit      ok         exit      ok                exit
  ATTR.WR      exit      ok         exit      ok                exit
  READ         exit      OK         exit      exit              exit
`,
);

table(
  "every leaf on every state of a 2 MiB entry of a running TD",
  1,
  { configFlags: 0x46n },
  `
  leaf         FREE        NL_MAPPED    NL_BLOCKED  MAPPED     BLOCKED     PENDING           PENDING_BLOCKED
  ADD          running     running      running     running    running     running           running
  AUG          >PENDING    wrong        wrong       wrong      wrong       wrong             wrong
  SEPT.ADD     >NL_MAPPED  wrong        wrong       wrong      wrong       wrong             wrong
  SEPT.RD      ok          ok           ok          ok         ok          ok                ok
  SEPT.REMOVE  wrong       unblocked    >FREE       wrong      wrong       wrong             wrong
  BLOCK        wrong       >NL_BLOCKED  blocked     >BLOCKED   blocked     >PENDING_BLOCKED  blocked
  UNBLOCK      wrong       wrong        >NL_MAPPED  wrong      >MAPPED     wrong             >PENDING
  REMOVE       wrong       wrong        wrong       unblocked  >FREE       unblocked         >FREE
  DEMOTE       wrong       wrong        wrong       unblocked  >NL_MAPPED  unblocked         >NL_MAPPED
  PROMOTE      wrong       unblocked    merge       wrong      wrong       wrong             wrong
  ACCEPT       exit        size1        size1       accepted1  exit        >MAPPED           exit
  ACCEPT.4K    exit        exit         exit        accepted1  exit        exit              exit
  RELEASE      free        size1        size1       >PENDING   wrong       wrong             wrong
  RELEASE.4K   free        free         wrong       size1      size1       size1             size1
  ATTR.RD      exit        exit         exit        ok         exit        ok                exit
  ATTR.WR      exit        size1        size1       ok         exit        ok                exit
  READ         exit        exit         exit        OK         exit        exit              exit
`,
);

table(
  "a TD that is being built takes its image, and its pages need no blocking",
  0,
  { finalize: false },
  `
  leaf     FREE      PENDING           PENDING_BLOCKED
  ADD      >MAPPED   wrong             wrong
  AUG      >PENDING  wrong             wrong
  BLOCK    wrong     >PENDING_BLOCKED  blocked
  UNBLOCK  wrong     wrong             >PENDING
  REMOVE   wrong     >FREE             >FREE
`,
);

table(
  "tables of a TD that is being built need no blocking either",
  1,
  { finalize: false },
  `
  leaf         FREE        NL_MAPPED    NL_BLOCKED  PENDING
  SEPT.ADD     >NL_MAPPED  wrong        wrong       wrong
  SEPT.REMOVE  wrong       >FREE        >FREE       wrong
  DEMOTE       wrong       wrong        wrong       >NL_MAPPED
  PROMOTE      wrong       merge        merge       wrong
`,
);

table(
  "1 GiB entries hold tables; a module that takes 1 GiB accepts tells of them",
  2,
  { module: { behaviour: { acceptMaxLevel: 2 } } },
  `
  leaf         FREE        NL_MAPPED    NL_BLOCKED
  AUG          invalid     invalid      invalid
  SEPT.ADD     >NL_MAPPED  wrong        wrong
  SEPT.REMOVE  wrong       unblocked    >FREE
  BLOCK        wrong       >NL_BLOCKED  blocked
  REMOVE       wrong       wrong        wrong
  PROMOTE      wrong       unblocked    merge
  ACCEPT       exit        size2        size2
`,
);

it("without the PAGE_RELEASE flag RELEASE answers as an unknown leaf does", () => {
  const one = new OneTd();
  one.aug(A);
  one.accept(A);
  expect(statusText(one.tdcall("TDG.MEM.PAGE.RELEASE", { RCX: A }) as Status)).toBe("OPERAND_INVALID(RAX)");
  expect(one.guest[2 * RCX]).toBe(A);
});
it("with the flag the host cannot block what the guest has accepted, and can once it is released", () => {
  const one = new OneTd({ configFlags: 0x46n });
  one.aug(A);
  one.accept(A);
  expect(statusText(one.block(A))).toBe("EPT_ENTRY_STATE_INCORRECT(RCX)");
  expect(one.stateOf(A)).toBe("MAPPED");
  one.tdcall("TDG.MEM.PAGE.RELEASE", { RCX: A });
  expect(one.block(A)).toBe(0);
});
