/** How long a guest that owes an answer may give no sign of life. Emulated on a busy machine, it still does much in that time. */
export const SILENCE_MS = 300_000;
const LOOK_MS = 1000;

export interface Watched {
  /** What the guest is asked just now; undefined if nothing. */
  readonly owed: () => string | undefined;
  /** What is seen of the guest from outside; any change of it is a sign of life. */
  readonly signs: () => string;
  /** Is called once, with what is owed. */
  readonly onSilence: (owed: string) => void;
}

/**
 * Finds out that a guest hangs. It counts looks, not time: while the whole machine slept, the guest did too.
 */
export class Vigil {
  private readonly watched: Watched;
  private readonly silenceMs: number;
  private timer: NodeJS.Timeout | undefined;
  private looks = 0;
  private last = "";

  constructor(watched: Watched, silenceMs = SILENCE_MS) {
    this.watched = watched;
    this.silenceMs = silenceMs;
  }

  /** Does not keep the process alive. */
  start(): void {
    [this.looks, this.last] = [0, ""];
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Harmless when done again. */
  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const { owed, signs, onSilence } = this.watched;
    const what = owed();
    const seen = what === undefined ? "" : `${what} ${signs()}`;
    this.looks = what === undefined || seen !== this.last ? 0 : this.looks + 1;
    this.last = seen;
    if (what === undefined || this.looks * LOOK_MS < this.silenceMs) return;
    this.stop();
    onSilence(what);
  }
}
