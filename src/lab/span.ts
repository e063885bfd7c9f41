/** Guest-physical bytes [start, end). */
export interface Span {
  readonly start: number;
  readonly end: number;
}
