import LiveClient from './index.cjs';

export { LiveClient };
export default LiveClient;
