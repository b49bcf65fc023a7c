// Keys that are hard to write, listed and read (without control characters: this client never asks for encoded listings);
// and the preflight of a presigned upload, over every way of addressing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connect, send, ways } from './clients.mjs';

const KEYS = [
  'odd/%2F', 'odd/&amp;', 'odd/+ +', 'odd/<x>', 'odd/]]>', 'odd/a//b', 'odd/dir/', 'odd/e\u0301', 'odd/~!@$^*()_-\'"',
  'odd/测试/😀.txt'
];
const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

for (const way of ways) {
  describe(way.title, () => {
    const bucket = `odd-${way.bucket}`;
    let client;

    before(async () => {
      client = connect(way);
      await client.putBucket(bucket);
      client.useBucket(bucket);
      for (const key of KEYS) await client.put(key, Buffer.from(key), { meta: { key: encodeURIComponent(key) } });
    });

    after(async () => {
      for (const { name } of (await client.list({ 'max-keys': 1000 })).objects ?? []) await client.delete(name);
      await client.deleteBucket(bucket);
    });

    test('they come back as they were', async () => {
      for (const key of KEYS) {
        assert.equal((await client.get(key)).content.toString(), key);
        assert.equal((await client.head(key)).meta.key, encodeURIComponent(key));
      }
    });

    test('both listings show them, page by page, in order of their bytes', async () => {
      const wanted = [...KEYS].sort(byBytes);
      const first = [];
      let marker;
      do {
        const page = await client.list({ prefix: 'odd/', 'max-keys': 4, ...(marker && { marker }) });
        first.push(...page.objects.map(one => one.name));
        marker = page.nextMarker;
      } while (marker && first.length < 100);
      assert.deepEqual(first, wanted);
      const second = [];
      let token;
      do {
        const page = await client.listV2({ prefix: 'odd/', 'max-keys': 3, ...(token && { 'continuation-token': token }) });
        second.push(...page.objects.map(one => one.name));
        token = page.nextContinuationToken;
      } while (token && second.length < 100);
      assert.deepEqual(second, wanted);
      const { prefixes } = await client.listV2({ prefix: 'odd/', delimiter: '/', 'max-keys': 1000 });
      assert.deepEqual(prefixes, ['odd/a/', 'odd/dir/', 'odd/测试/']);
    });

    test('they are copied and deleted', async () => {
      for (const key of KEYS) await client.copy(`copies/${key}`, key);
      const { objects } = await client.listV2({ prefix: 'copies/', 'max-keys': 1000 });
      assert.deepEqual(objects.map(one => one.name), KEYS.map(key => `copies/${key}`).sort(byBytes));
      const copies = KEYS.map(key => `copies/${key}`);
      assert.equal((await client.deleteMulti(copies)).deleted.length, copies.length);
      assert.equal((await client.listV2({ prefix: 'copies/' })).keyCount, 0);
    });

    test('a preflight and the presigned upload behind it', async t => {
      if (way.addressing.startsWith('IP')) return t.skip('ali-oss makes no object URLs for an IP');
      await client.putBucketCORS(bucket, [
        { allowedOrigin: 'https://page.example', allowedMethod: ['PUT'], allowedHeader: ['content-type'], exposeHeader: ['ETag'], maxAgeSeconds: '60' }
      ]);
      const headers = { 'Content-Type': 'text/plain' };
      const url = way.v4
        ? await client.signatureUrlV4('PUT', 60, { headers }, 'page/ü')
        : client.signatureUrl('page/ü', { method: 'PUT', expires: 60, ...headers });
      const ask = origin => send(url, { method: 'OPTIONS', headers: {
        Origin: origin, 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'content-type'
      } });
      const allowed = await ask('https://page.example');
      assert.equal(allowed.status, 200);
      assert.equal(allowed.headers['access-control-allow-origin'], 'https://page.example');
      assert.equal(allowed.headers['access-control-max-age'], '60');
      assert.equal((await ask('https://elsewhere.example')).status, 403);
      const put = await send(url, { method: 'PUT', headers: { ...headers, Origin: 'https://page.example' }, body: 'x' });
      assert.equal(put.status, 200, put.body);
      assert.equal(put.headers['access-control-expose-headers'], 'ETag');
    });
  });
}
