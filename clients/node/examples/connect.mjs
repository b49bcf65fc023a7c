// The client that every example uses, from the environment.
import { LiveClient } from 'livebucket-client';

export function connect() {
  return new LiveClient({
    endpoint: process.env.LIVEBUCKET_ENDPOINT ?? 'http://127.0.0.1:9000',
    bucket: process.env.LIVEBUCKET_BUCKET ?? 'demo',
    accessKeyId: process.env.LIVEBUCKET_ACCESS_KEY,
    accessKeySecret: process.env.LIVEBUCKET_SECRET_KEY
  });
}
