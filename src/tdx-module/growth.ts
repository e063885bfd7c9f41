export * from "../flat/growth.ts";
