import { defineConfig } from 'vitest/config';

/** Five kinds of tests: `unit` (pure, fast), `browser` (the console's page in Chromium), `integration` (a real kube-apiserver), `hostile` (a whole agent, attacked), `e2e` (the lab). */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/browser/**', 'test/integration/**', 'test/hostile/**', 'test/e2e/**'],
          // None takes a second; machines that test may be busy.
          testTimeout: 20_000,
          // They wait more than they compute, and are one after the other on two cores otherwise.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
          globalSetup: ['test/integration/api-server.ts'],
        },
      },
      {
        test: {
          name: 'hostile',
          include: ['test/hostile/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
