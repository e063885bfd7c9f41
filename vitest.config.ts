import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // By itself vitest leaves one processor free: of two, that is half of them.
    maxWorkers: "100%",
    // Bounds on what hangs; tests are not timed, and machines may be slow and shared.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
