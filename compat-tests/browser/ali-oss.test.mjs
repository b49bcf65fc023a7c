// A page of another origin uses ali-oss's own build for browsers, and presigned URLs with plain fetch, in headless
// Chromium: every request with a method, a header or an answer beyond the simplest needs the bucket's CORS rules.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { connect, env, ways } from '../ali-oss/clients.mjs';
import { S3mini } from './presign-s3.mjs';

const BUCKET = 'browser-uploads';
const require = createRequire(import.meta.url);
const client = connect(ways[0], { bucket: BUCKET });
// What the page is given. Chromium resolves `*.localhost` by itself.
const { accessKeyId, accessKeySecret } = env;
const options = { endpoint: env.name, bucket: BUCKET, accessKeyId, accessKeySecret, region: `oss-${env.region}` };

let context;
let page;
let pages;
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'compat-chromium-'));

before(async () => {
  const sdk = path.join(path.dirname(require.resolve('ali-oss/package.json')), 'dist/aliyun-oss-sdk.min.js');
  pages = http.createServer((request, response) => {
    if (request.url === '/sdk.js') {
      response.writeHead(200, { 'content-type': 'text/javascript' });
      return fs.createReadStream(sdk).pipe(response);
    }
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><meta charset="utf-8"><title>uploads</title><script src="/sdk.js"></script>');
  });
  await new Promise(resolve => pages.listen(0, '127.0.0.1', resolve));
  await client.putBucket(BUCKET);
  context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'
    ]
  });
  page = await context.newPage();
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
});

after(async () => {
  await context?.close();
  pages?.close();
  pages?.closeAllConnections();
  fs.rmSync(profile, { recursive: true, force: true });
});

/** What a page gets: status and text, or that the browser kept it from the page. */
function fetched(url, request) {
  return page.evaluate(
    ([to, how]) => fetch(to, how).then(async answer => [answer.status, await answer.text()], () => 'kept from the page'),
    [url, request]
  );
}

test('without a rule the browser keeps the bucket from the page', async () => {
  const url = client.signatureUrl('early', { method: 'PUT', expires: 60, 'Content-Type': 'text/plain' });
  assert.equal(await fetched(url, { method: 'PUT', body: 'x', headers: { 'Content-Type': 'text/plain' } }), 'kept from the page');
  await assert.rejects(client.head('early'), { status: 404 });
  await client.putBucketCORS(BUCKET, [{
    allowedOrigin: '*', allowedMethod: ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'], allowedHeader: '*',
    exposeHeader: ['ETag', 'x-oss-request-id', 'x-oss-next-append-position', 'x-oss-hash-crc64ecma'], maxAgeSeconds: '60'
  }]);
});

test('presigned URLs of OSS and of S3, by fetch', async () => {
  const type = { 'Content-Type': 'text/plain' };
  const s3 = new S3mini(env.ip, accessKeyId, accessKeySecret);
  for (const [key, put, get] of [
    ['oss v1/ü', client.signatureUrl('oss v1/ü', { method: 'PUT', expires: 60, ...type }), client.signatureUrl('oss v1/ü', { expires: 60 })],
    ['oss v4/ü', await client.signatureUrlV4('PUT', 60, { headers: type }, 'oss v4/ü'), await client.signatureUrlV4('GET', 60, undefined, 'oss v4/ü')],
    ['s3/ü', s3.presign('PUT', `/${BUCKET}/s3/ü`), s3.presign('GET', `/${BUCKET}/s3/ü`)]
  ]) {
    assert.deepEqual(await fetched(put, { method: 'PUT', body: `by ${key}`, headers: type }), [200, ''], key);
    assert.deepEqual(await fetched(get), [200, `by ${key}`]);
    assert.equal((await client.get(key)).content.toString(), `by ${key}`);
    const [status, document] = await fetched(get.replace('?', 'x?'));
    assert.equal(status, 403, 'the page reads why it was refused');
    assert.match(document, /<Code>SignatureDoesNotMatch<\/Code>/);
  }
});

for (const authorizationV4 of [false, true]) {
  test(`the SDK's build for browsers, ${authorizationV4 ? 'V4' : 'V1'}`, async () => {
    const seen = await page.evaluate(async given => {
      const store = new OSS(given);
      const text = async name => new TextDecoder().decode((await store.get(name)).content);
      const put = await store.put('page/ü +.txt', new Blob(['from the page']), { meta: { a: '1' } });
      const append = await store.append('page/log', new Blob(['one,']));
      await store.append('page/log', new Blob(['two']), { position: append.nextAppendPosition });
      const bytes = new Uint8Array(350 * 1024).map((_, at) => at % 251);
      const told = [];
      const big = await store.multipartUpload('page/big', new File([bytes], 'big'), {
        partSize: 100 * 1024, parallel: 2, progress: share => told.push(share)
      });
      await store.copy('page/copy', 'page/ü +.txt');
      const got = {
        text: await text('page/ü +.txt'),
        log: await text('page/log'),
        copy: await text('page/copy'),
        big: (await store.get('page/big')).content.every((byte, at) => byte === at % 251),
        etag: put.res.headers.etag,
        parts: big.etag,
        told: told.at(-1),
        names: (await store.list({ prefix: 'page/' })).objects.map(one => one.name),
        missing: await store.get('page/none').catch(error => error.code)
      };
      await store.deleteMulti(['page/copy', 'page/log']);
      got.left = (await store.listV2({ prefix: 'page/' })).objects.map(one => one.name);
      return got;
    }, { ...options, authorizationV4 });
    assert.deepEqual([seen.text, seen.log, seen.copy, seen.big], ['from the page', 'one,two', 'from the page', true]);
    assert.match(seen.etag, /^"[0-9A-F]{32}"$/);
    assert.match(seen.parts, /-4"$/);
    assert.equal(seen.told, 1);
    assert.deepEqual(seen.names, ['page/big', 'page/copy', 'page/log', 'page/ü +.txt']);
    assert.equal(seen.missing, 'NoSuchKey');
    assert.deepEqual(seen.left, ['page/big', 'page/ü +.txt']);
    await client.delete('page/ü +.txt');
  });
}
