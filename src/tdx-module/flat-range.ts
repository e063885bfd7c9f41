export * from "../flat/flat-range.ts";
