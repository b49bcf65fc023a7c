export * from './index.js';
export { LiveClient as default } from './index.js';
