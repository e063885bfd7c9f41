import type { Accesses } from "./access-trace.ts";

/** What is known of a location as plain JSON: words by number, with the bytes that are touched and changed there. */
export interface KnownLocation {
  /** Who, and where in its work: see Futures.at. */
  readonly path: readonly number[];
  readonly tried: boolean;
  readonly numbers: readonly number[];
  readonly touched: readonly number[];
  readonly changed: readonly number[];
  /** Places in the list. */
  readonly next: readonly number[];
}

/** Where somebody is in its work: at which steps of which procedures, whatever the values there. */
interface Location {
  readonly path: readonly number[];
  /** Words that steps from here touch. */
  readonly numbers: number[];
  /** By word: bytes that steps from here touch and change. */
  readonly touched: Uint8Array;
  readonly changed: Uint8Array;
  readonly next: Set<number>;
  /** Whether a step from here was ever tried. */
  tried: boolean;
  /** Whether something was decided for good by what is known of it. */
  relied: boolean;
  /** Undefined: it is to be found out. */
  future: Future | typeof UNKNOWN | undefined;
}

/** All that may be touched and changed from somewhere on, by it and by all whom it gives work. */
export interface Future {
  readonly touched: Uint8Array;
  readonly changed: Uint8Array;
  readonly locations: readonly number[];
}

interface Branch {
  number: number;
  readonly deeper: Map<number, Branch>;
}

const NO_LOCATION = -1;
/** Some of it was never tried. */
const UNKNOWN = "unknown";

/** What everybody may still do, as far as steps that were tried tell. */
export class Futures {
  /** Something became known of a location after it was relied upon. */
  surprised = false;
  private readonly count: number;
  private readonly locations: Location[] = [];
  private readonly root: Branch = { number: NO_LOCATION, deeper: new Map() };

  /** @param count of words and marks */
  constructor(count: number, known: readonly KnownLocation[] = []) {
    this.count = count;
    for (const { path } of known) this.at(path);
    for (const [number, { tried, numbers, touched, changed, next }] of known.entries()) {
      const location = this.locations[number]!;
      location.tried = tried;
      for (const [place, word] of numbers.entries()) {
        location.touched[word] = touched[place]!;
        location.changed[word] = changed[place]!;
      }
      location.numbers.push(...numbers);
      for (const one of next) location.next.add(one);
    }
  }

  /** Bytes of what is known, about: two rows a location, and two of what may follow. */
  get bytes(): number {
    return 4 * this.count * this.locations.length;
  }

  /** Number of a location. @param path who, then by frame of the stack the step that runs next */
  at(path: readonly number[], length = path.length): number {
    let branch = this.root;
    for (let place = 0; place < length; place++) {
      let deeper = branch.deeper.get(path[place]!);
      if (deeper === undefined) {
        deeper = { number: NO_LOCATION, deeper: new Map() };
        branch.deeper.set(path[place]!, deeper);
      }
      branch = deeper;
    }
    if (branch.number === NO_LOCATION) branch.number = this.add(path.slice(0, length));
    return branch.number;
  }

  private add(path: readonly number[]): number {
    const { count, locations } = this;
    const [touched, changed] = [new Uint8Array(count), new Uint8Array(count)];
    const next = new Set<number>();
    const now = { tried: false, relied: false, future: undefined };
    locations.push({ path, numbers: [], touched, changed, next, ...now });
    return locations.length - 1;
  }

  /** A step was tried from a location. @param next where it took somebody */
  note(number: number, { numbers, touched, changed }: Accesses, next: readonly number[]): void {
    const location = this.locations[number]!;
    let fresh = !location.tried;
    location.tried = true;
    for (let at = 0; at < numbers.length; at++) {
      const word = numbers[at]!;
      const [is, does] = [location.touched[word]!, location.changed[word]!];
      if ((is | touched[at]!) === is && (does | changed[at]!) === does) continue;
      if (is === 0) location.numbers.push(word);
      location.touched[word] = is | touched[at]!;
      location.changed[word] = does | changed[at]!;
      fresh = true;
    }
    for (const one of next) {
      fresh ||= !location.next.has(one);
      location.next.add(one);
    }
    if (!fresh) return;
    this.surprised ||= location.relied;
    for (const one of this.locations) one.future = undefined;
  }

  /** Undefined: something of it was never tried. */
  of(number: number): Future | undefined {
    const location = this.locations[number]!;
    location.future ??= this.futureOf(number);
    return location.future === UNKNOWN ? undefined : location.future;
  }

  private futureOf(number: number): Future | typeof UNKNOWN {
    const { locations, count } = this;
    const [touched, changed] = [new Uint8Array(count), new Uint8Array(count)];
    const all = new Set([number]);
    for (const one of all) {
      const location = locations[one]!;
      if (!location.tried) return UNKNOWN;
      for (const word of location.numbers) {
        touched[word]! |= location.touched[word]!;
        changed[word]! |= location.changed[word]!;
      }
      for (const next of location.next) all.add(next);
    }
    return { touched, changed, locations: [...all] };
  }

  /** Something is decided by a future: it has to be all that there is. */
  relyOn({ locations }: Future): void {
    for (const number of locations) this.locations[number]!.relied = true;
  }

  known(): KnownLocation[] {
    return this.locations.map(({ path, tried, numbers, touched, changed, next }) => ({
      ...{ path, tried, numbers: [...numbers], next: [...next] },
      touched: numbers.map((word) => touched[word]!),
      changed: numbers.map((word) => changed[word]!),
    }));
  }
}

/** Whether a step and all that may be done in a future come to the same in either order. */
export const isApart = ({ numbers, touched, changed }: Accesses, future: Future): boolean => {
  for (let at = 0; at < numbers.length; at++) {
    const word = numbers[at]!;
    if ((changed[at]! & future.touched[word]!) !== 0 || (touched[at]! & future.changed[word]!) !== 0)
      return false;
  }
  return true;
};
