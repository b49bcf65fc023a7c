// Compiled, never run: the CommonJS form of the import.
import { LiveClient } from 'livebucket-client';

export const client: LiveClient = new LiveClient({ accessKeyId: 'k', accessKeySecret: 's' });
