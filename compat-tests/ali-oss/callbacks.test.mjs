// Server: --outbound-allow 127.0.0.1
// Upload callbacks and browser forms, signed by ali-oss and sent as a page sends them.
import assert from 'node:assert/strict';
import http from 'node:http';
import { Readable } from 'node:stream';
import { after, before, beforeEach, describe, test } from 'node:test';

import { connect, env, fails, send, ways } from './clients.mjs';

const app = { seen: [], status: 200, answer: '{"Status":"OK"}' };
const BODY = 'bucket=${bucket}&object=${object}&size=${size}&var1=${x:var1}';
let url;

before(async () => {
  app.server = http.createServer((request, response) => {
    let body = '';
    request.on('data', part => { body += part; });
    request.on('end', () => {
      app.seen.push({ headers: request.headers, body: new URLSearchParams(body), text: body });
      response.writeHead(app.status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(app.answer) });
      response.end(app.answer);
    });
  });
  await new Promise(resolve => { app.server.listen(0, '127.0.0.1', resolve); });
  url = `http://127.0.0.1:${app.server.address().port}/callback`;
});

after(() => app.server.close());

beforeEach(() => Object.assign(app, { seen: [], status: 200, answer: '{"Status":"OK"}' }));

const callback = () => ({ url, host: 'app.example', body: BODY, contentType: 'application/x-www-form-urlencoded', customValue: { var1: 'a b&c' } });

for (const way of ways) {
  describe(way.title, () => {
    let client;
    const bucket = `${way.bucket}-callbacks`;

    before(async () => {
      client = connect(way);
      await client.putBucket(bucket);
      client.useBucket(bucket);
    });

    test('put', async () => {
      const result = await client.put('a b/ü.txt', Buffer.from('hello'), { callback: callback() });
      assert.equal(result.res.status, 200);
      assert.deepEqual(result.data, { Status: 'OK' });
      const [{ headers, body }] = app.seen;
      assert.equal(headers.host, 'app.example');
      assert.equal(headers['x-oss-request-id'], result.res.headers['x-oss-request-id']);
      assert.deepEqual(Object.fromEntries(body), { bucket, object: 'a b/ü.txt', size: '5', var1: 'a b&c' });
    });

    test('putStream', async () => {
      const result = await client.putStream('stream', Readable.from([Buffer.from('one'), Buffer.from('two')]), { callback: callback() });
      assert.deepEqual(result.data, { Status: 'OK' });
      assert.equal(app.seen[0].body.get('size'), '6');
    });

    test('multipartUpload', async () => {
      const content = Buffer.alloc(250 * 1024, 7);
      const result = await client.multipartUpload('parts', content, { partSize: 100 * 1024, callback: callback() });
      assert.deepEqual(result.data, { Status: 'OK' });
      assert.equal(app.seen.length, 1);
      assert.deepEqual([app.seen[0].body.get('object'), app.seen[0].body.get('size')], ['parts', String(content.length)]);
    });

    test('a callback that fails is an error, and the object is there', async () => {
      app.status = 500;
      const error = await fails(() => client.put('failed', Buffer.from('kept'), { callback: callback() }), 'CallbackFailed', 203);
      assert.equal(error.message, 'Error status : 500.');
      assert.equal((await client.get('failed')).content.toString(), 'kept');
    });

    test('a private address is refused', async () => {
      const inside = { ...callback(), url: 'http://10.0.0.1/' };
      await fails(() => client.put('refused', Buffer.from('x'), { callback: inside }), 'InvalidArgument', 400);
      await fails(() => client.head('refused'), 'NoSuchKey', 404);
    });

    test('a signed URL', async t => {
      if (way.addressing.startsWith('IP')) return t.skip('ali-oss makes no object URLs for an IP');
      const encode = value => Buffer.from(JSON.stringify(value)).toString('base64');
      const queries = { callback: encode({ callbackUrl: url, callbackBody: BODY }), 'callback-var': encode({ 'x:var1': 'a b&c' }) };
      const signed = way.v4
        ? await client.signatureUrlV4('PUT', 60, { queries }, 'by/url')
        : client.signatureUrl('by/url', { method: 'PUT', expires: 60, callback: callback() });
      const answer = await send(signed, { method: 'PUT', body: 'hello' });
      assert.equal(answer.status, 200, answer.body);
      assert.deepEqual(JSON.parse(answer.body), { Status: 'OK' });
      assert.deepEqual([app.seen[0].body.get('object'), app.seen[0].body.get('var1')], ['by/url', 'a b&c']);
    });
  });
}

describe('browser forms', () => {
  const bucket = 'ali-forms';
  let client;

  before(async () => {
    client = connect(ways.find(way => way.addressing === 'IP'));
    await client.putBucket(bucket);
    client.useBucket(bucket);
  });

  const policy = (now, ...conditions) => ({
    expiration: new Date(now.getTime() + 60_000).toISOString(),
    conditions: [{ bucket }, ...conditions]
  });

  const v1 = (...conditions) => client.calculatePostSignature(policy(new Date(), ...conditions));

  const v4 = (...conditions) => {
    const now = new Date();
    const stamp = now.toISOString().replace(/[-:]|\.\d+/g, '');
    const fields = {
      'x-oss-date': stamp,
      'x-oss-signature-version': 'OSS4-HMAC-SHA256',
      'x-oss-credential': `${env.accessKeyId}/${stamp.slice(0, 8)}/${env.region}/oss/aliyun_v4_request`
    };
    const whole = policy(now, ...Object.entries(fields).map(([name, value]) => ({ [name]: value })), ...conditions);
    return {
      ...fields,
      policy: Buffer.from(JSON.stringify(whole)).toString('base64'),
      'x-oss-signature': client.signPostObjectPolicyV4(whole, now)
    };
  };

  const post = (fields, content) => {
    const form = new FormData();
    Object.entries(fields).forEach(([name, value]) => form.append(name, value));
    form.append('file', new Blob([content], { type: 'image/png' }), 'picture.png');
    return fetch(`${env.ip}/${bucket}`, { method: 'POST', body: form });
  };

  for (const [title, sign] of [['V1', v1], ['V4', v4]]) {
    test(`${title}: a page uploads`, async () => {
      const fields = { key: 'up/${filename}', success_action_status: '200', ...sign(['starts-with', '$key', 'up/'], ['content-length-range', 0, 100]) };
      const answer = await post(fields, 'png');
      assert.equal(answer.status, 200, await answer.text());
      const head = await client.head('up/picture.png');
      assert.equal(head.res.headers['content-type'], 'image/png');
      assert.equal((await post(fields, 'x'.repeat(101))).status, 400);
      assert.equal((await post({ ...fields, key: 'elsewhere' }, 'png')).status, 403);
    });

    test(`${title}: and its application is told`, async () => {
      const argument = Buffer.from(JSON.stringify({ callbackUrl: url, callbackBody: BODY })).toString('base64');
      const answer = await post({ key: 'told', callback: argument, 'x:var1': 'v', ...sign() }, 'png');
      assert.deepEqual(await answer.json(), { Status: 'OK' });
      assert.deepEqual(Object.fromEntries(app.seen[0].body), { bucket, object: 'told', size: '3', var1: 'v' });
    });
  }
});
