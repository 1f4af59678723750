import { defineConfig } from 'vitest/config';

// Tests import the packages by name and get their source, not a build: the private condition of each exports map.
const conditions = ['@mikrokit/source'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['**/*.test.ts'],
    setupFiles: ['./harness/property-seed.ts'],
    globalSetup: ['./harness/global-setup.ts'],
    // Two cores: more workers than that only fight PostgreSQL for them.
    maxWorkers: 2,
    clearMocks: true,
    // A shared, noisy machine: a test that starts servers may be slow without being wrong.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What has to become so may take as long as the machine lets it.
    expect: { poll: { timeout: 10_000 } },
  },
});
