/** Columns that are read; others keep their place only. */
export const LSMEM_COLUMNS = ["RANGE", "SIZE", "STATE", "REMOVABLE", "BLOCK", "NODE", "ZONES"] as const;
export type LsmemColumn = (typeof LSMEM_COLUMNS)[number];

/** A word and where it stands, in characters from the start of the first one. */
interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const wordsOf = (line: string): Word[] => {
  const words = [...line.matchAll(/\S+/g)];
  const first = words[0]?.index ?? 0;
  return words.map(({ 0: text, index }) => ({
    text,
    start: index - first,
    end: index - first + text.length,
  }));
};

/** What each column of one row says; an empty cell says nothing. */
export type LsmemCells = (column: LsmemColumn) => string | undefined;

const HEADING_WORD = /^[A-Z][A-Z-]*$/;

/** The cells of a row by column number; "" is an empty one. */
export type LsmemRowCells = readonly string[];

/**
 * The heading of a table that lsmem printed. A cell may be empty, as REMOVABLE is of an offline block, so cells are found by where they
 * stand: each begins or ends where its heading does. Where white space was lost, they are counted.
 */
export class LsmemHeading {
  private readonly words: readonly Word[];
  /** `lsmem --raw`: one space between cells, so that two of them are an empty cell. */
  private readonly isRaw: boolean;

  private constructor(words: readonly Word[], isRaw: boolean) {
    this.words = words;
    this.isRaw = isRaw;
  }

  static of(line: string): LsmemHeading {
    return new LsmemHeading(wordsOf(line), !/\S\s{2,}\S/.test(line));
  }

  /** Columns of `lsmem --noheadings`, as it prints them unless told otherwise. */
  static usual(): LsmemHeading {
    const names = ["RANGE", "SIZE", "STATE", "REMOVABLE", "BLOCK"];
    return new LsmemHeading(names.map(nowhere), false);
  }

  /** Whether a line is the rest of a heading that a mailer wrapped. */
  static isRest(line: string): boolean {
    const words = line.trim().split(/\s+/);
    return words.every((word) => HEADING_WORD.test(word)) && words.some(isColumn);
  }

  /** This heading with the columns that a mailer put on the next line. */
  with(rest: string): LsmemHeading {
    return new LsmemHeading([...this.words, ...rest.trim().split(/\s+/).map(nowhere)], false);
  }

  cells(row: string): LsmemRowCells {
    const texts = this.isRaw ? row.trim().split(" ") : this.placed(wordsOf(row));
    const known = texts.length < this.words.length ? this.upToDoubt(texts) : texts;
    return this.words.map((_, n) => known[n] ?? "");
  }

  /** Of a row with too few words: those before the first column that may be empty, unless that one is not. */
  private upToDoubt(texts: LsmemRowCells): LsmemRowCells {
    const doubtful = this.words.findIndex(({ text }) => text === "REMOVABLE");
    return doubtful < 0 || /^(?:yes|no)$/.test(texts[doubtful] ?? "") ? texts : texts.slice(0, doubtful);
  }

  /** What a row says by column name. */
  named(cells: LsmemRowCells): LsmemCells {
    const named = this.words.map(({ text }, n) => [text, cells[n] ?? ""] as const);
    const byName = new Map(named.filter(([, text]) => text !== ""));
    return (column) => byName.get(column);
  }

  private placed(words: readonly Word[]): LsmemRowCells {
    const texts: string[] = this.words.map(() => "");
    let strays = 0;
    for (const { text, start, end } of words) {
      const at = this.words.findIndex((heading) => heading.start === start || heading.end === end);
      // What someone wrote behind the row stands anywhere.
      if (at >= 0 && texts[at] === "" && strays === 0) texts[at] = text;
      else strays++;
    }
    const isPlaced = words.length - strays >= 2 && (strays === 0 || texts.at(-1) !== "");
    return isPlaced ? texts : words.map(({ text }) => text);
  }
}

/** A word of which nobody knows where it stood. */
const nowhere = (text: string): Word => ({ text, start: Number.NaN, end: Number.NaN });

export const isColumn = (word: string): word is LsmemColumn =>
  LSMEM_COLUMNS.some((column) => column === word);

/** The cells of `lsmem --pairs`: NAME="value", one row a line. */
export const pairedCells = (line: string): LsmemCells => {
  const pairs = new Map(
    [...line.matchAll(/([A-Z][A-Z_-]*)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
  );
  return (column) => pairs.get(column) || undefined;
};
