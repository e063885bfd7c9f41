/** How a terminal shows things: its width, whether it has colours, and whether it has more than ASCII. */
export interface Screen {
  /** Columns; lines are laid out for it. */
  readonly width: number;
  readonly colour: boolean;
  readonly unicode: boolean;
  /** False for a file or a pipe: rows stay on one line however long they are. */
  readonly isTerminal: boolean;
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof CODES;

/** Puts text in a style if the screen has colours. */
export const painter =
  ({ colour }: Screen) =>
  (style: Style, text: string): string =>
    colour && text !== "" ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
export type Paint = ReturnType<typeof painter>;

export interface Glyphs {
  /** A cell by the share for which a fact holds, from none to all. */
  readonly levels: readonly string[];
  readonly times: string;
  readonly arrow: string;
  readonly dots: string;
  readonly dot: string;
  readonly brackets: readonly [first: string, between: string, last: string];
}

const UNICODE: Glyphs = {
  levels: ["·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
  times: "×",
  arrow: "→",
  dots: "…",
  dot: "·",
  brackets: ["┌", "│", "└"],
};

const ASCII: Glyphs = {
  levels: [".", "-", "+", "#"],
  times: "x",
  arrow: "->",
  dots: "...",
  dot: "-",
  brackets: ["/", "|", "\\"],
};

export const glyphs = ({ unicode }: Screen): Glyphs => (unicode ? UNICODE : ASCII);

/** The glyph of a share: the first only for none at all, the last only for all of it. */
export const level = ({ levels }: Glyphs, share: number): string => {
  const last = levels.length - 1;
  if (share <= 0) return levels[0]!;
  if (share >= 1 - 1e-9) return levels[last]!;
  return levels[1 + Math.min(last - 2, Math.floor(share * (last - 1)))]!;
};

/** Makes text of users and machines safe to show: no control character reaches the terminal. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) => (char === "\n" || char === "\t" ? " " : "\uFFFD"));

/** Breaks text into lines of at most `width` columns at spaces; a longer word keeps a line of its own. */
export const wrap = (text: string, width: number): string[] => {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
};
