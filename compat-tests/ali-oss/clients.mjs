// The ways in which ali-oss can be aimed at a server.
import http from 'node:http';

import OSS from 'ali-oss';

export const env = {
  ip: process.env.LIVEBUCKET_ENDPOINT,
  name: process.env.LIVEBUCKET_NAME_ENDPOINT,
  accessKeyId: process.env.LIVEBUCKET_ACCESS_KEY,
  accessKeySecret: process.env.LIVEBUCKET_SECRET_KEY,
  region: process.env.LIVEBUCKET_REGION,
  out: process.env.COMPAT_OUT
};

// `{bucket}.localhost` needs no name service with an agent that looks every name up as loopback.
const agent = new http.Agent({
  keepAlive: true,
  lookup: (_name, options, callback) =>
    options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4)
});

const ADDRESSING = {
  'virtual host': { endpoint: env.name, agent },
  'path style': { endpoint: env.name, agent, sldEnable: true },
  IP: { endpoint: env.ip },
  'IP with path style': { endpoint: env.ip, sldEnable: true }
};

export const ways = Object.entries(ADDRESSING).flatMap(([addressing, options], index) =>
  [false, true].map(v4 => ({
    title: `${addressing}, ${v4 ? 'V4' : 'V1'}`,
    addressing,
    v4,
    bucket: `ali-${index}-${v4 ? 'v4' : 'v1'}`,
    options: { ...options, authorizationV4: v4 }
  }))
);

export function connect(way, more = {}) {
  return new OSS({
    accessKeyId: env.accessKeyId,
    accessKeySecret: env.accessKeySecret,
    region: `oss-${env.region}`,
    ...way.options,
    ...more
  });
}

export async function fails(call, code, status) {
  try {
    await call();
  } catch (error) {
    if (error.code === code && error.status === status) return error;
    throw new Error(`expected ${status} ${code}, got ${error.status} ${error.code}: ${error.message}`, { cause: error });
  }
  throw new Error(`expected ${status} ${code}, but the call succeeded`);
}

/** A plain request to a URL as it is, resolved as the clients' agent resolves. */
export function send(url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent }, response => {
      const parts = [];
      response.on('data', part => parts.push(part));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}
