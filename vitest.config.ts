import { defineConfig } from 'vitest/config'

// Three projects, one command: `unit` needs nothing, `integration` starts real servers once
// (test/support/servers.ts), `fuzz` is time-boxed.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'protocols/*/src/**/*.test.ts',
            'test/*.test.ts',
          ],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/{integration,drivers,bypass,demo}/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
      {
        test: {
          name: 'fuzz',
          include: ['test/fuzz/**/*.test.ts'],
          testTimeout: 180_000,
        },
      },
    ],
  },
})
