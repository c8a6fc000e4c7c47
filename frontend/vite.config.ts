import { defineConfig } from 'vite';

// The page runs under a policy without inline script, style or data addresses: nothing is inlined.
export default defineConfig({
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ['index.html', 'repl.html'] },
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8888', ws: true } } },
});
