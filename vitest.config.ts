import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    // Real guests under emulation depend on the machine's other work, which a CI machine has; what is wrong fails twice.
    retry: process.env["CI"] === "true" ? 1 : 0,
  },
});
