export type PieceKind = "code" | "comment" | "string" | "template" | "regex";
export interface Piece {
  readonly kind: PieceKind;
  readonly text: string;
}
export const pieces: (source: string) => Piece[];
export const without: (source: string, kinds: readonly PieceKind[]) => string;
export const codeOnly: (source: string) => string;
