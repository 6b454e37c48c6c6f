import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globals: false,
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    env: { TIDINGS_TEST_PROFILE: process.env.TIDINGS_TEST_PROFILE ?? "quick" },
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/**/*.d.ts"],
      reporter: ["text-summary"],
      // What runs in child processes (the command line, the demo, peers) is not counted: tests in the process carry it.
      thresholds: { lines: 90 },
    },
  },
});
