// A page of another origin plays the live playlist with hls.js in headless Chromium.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import OSS from 'ali-oss';
import { chromium } from 'playwright-core';

const BUCKET = 'browser-show';
const CHANNEL = 'event';
const WIDTH = 640;
const HEIGHT = 360;
const require = createRequire(import.meta.url);

const client = new OSS({
  endpoint: process.env.LIVEBUCKET_ENDPOINT,
  bucket: BUCKET,
  accessKeyId: process.env.LIVEBUCKET_ACCESS_KEY,
  accessKeySecret: process.env.LIVEBUCKET_SECRET_KEY
});

let page;
let context;
let pages;
let encoder;
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'compat-chromium-'));

before(async () => {
  // The page's own origin: it serves the page and hls.js, nothing of the bucket.
  const files = {
    '/': [new URL('./player.html', import.meta.url), 'text/html'],
    '/hls.js': [require.resolve('hls.js/dist/hls.js'), 'text/javascript']
  };
  pages = http.createServer((request, response) => {
    const [file, type] = files[new URL(request.url, 'http://page').pathname] ?? [];
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': type });
    fs.createReadStream(file).pipe(response);
  });
  await new Promise(resolve => pages.listen(0, '127.0.0.1', resolve));

  await client.putBucket(BUCKET, { acl: 'public-read' });
  await client.putChannel(CHANNEL, { Target: { Type: 'HLS', FragDuration: 2, FragCount: 5 } });

  encoder = spawn('ffmpeg', [
    '-v', 'error', '-nostdin',
    '-re', '-f', 'lavfi', '-i', `testsrc2=size=${WIDTH}x${HEIGHT}:rate=25`,
    '-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100',
    '-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '50', '-b:v', '600k', '-pix_fmt', 'yuv420p',
    '-c:a', 'aac', '-t', '120', '-f', 'flv', client.getRtmpUrl(CHANNEL)
  ], { stdio: ['ignore', 'ignore', 'inherit'] });

  await until(30, 'three fragments', async () => {
    const text = await client.get(`${CHANNEL}/playlist.m3u8`).then(result => result.content.toString(), () => '');
    return (text.match(/#EXTINF/g) ?? []).length >= 3;
  });

  context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--autoplay-policy=no-user-gesture-required'
    ]
  });
  page = await context.newPage();
});

after(async () => {
  await context?.close();
  encoder?.kill('SIGKILL');
  pages?.close();
  pages?.closeAllConnections();
  fs.rmSync(profile, { recursive: true, force: true });
});

async function until(seconds, what, condition) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const result = await condition();
    if (result) return result;
    assert.ok(Date.now() < end, `not within ${seconds} s: ${what}`);
    await sleep(200);
  }
}

function origin() {
  return `http://127.0.0.1:${pages.address().port}`;
}

async function open() {
  const source = `${process.env.LIVEBUCKET_ENDPOINT}/${BUCKET}/${CHANNEL}/playlist.m3u8`;
  await page.goto(`${origin()}/?src=${encodeURIComponent(source)}`);
}

function state() {
  return page.evaluate(() => {
    const video = document.getElementById('video');
    return {
      width: video.videoWidth,
      height: video.videoHeight,
      time: video.currentTime,
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
      audible: Boolean(video.webkitAudioDecodedByteCount),
      errors: window.errors
    };
  });
}

test('without a CORS rule the browser keeps the playlist from the page', async () => {
  await open();
  await until(10, 'an error of the player', async () => (await state()).errors.length > 0);
  assert.equal((await state()).width, 0);
});

test('with a CORS rule it plays for ten seconds', async () => {
  await client.putBucketCORS(BUCKET, [
    { allowedOrigin: origin(), allowedMethod: ['GET', 'HEAD'], allowedHeader: '*', exposeHeader: ['Content-Length'], maxAgeSeconds: '60' }
  ]);
  await open();
  const first = await until(20, 'the first picture', async () => {
    const now = await state();
    return now.width > 0 && now.time > 0 && now;
  });
  await sleep(10_000);
  const last = await state();
  assert.deepEqual([last.width, last.height], [WIDTH, HEIGHT]);
  assert.ok(last.time - first.time > 8, `${first.time} to ${last.time} in 10 s`);
  assert.ok(last.frames - first.frames > 150, `${last.frames - first.frames} frames in 10 s`);
  assert.ok(last.audible, 'the audio is decoded');
  assert.deepEqual(last.errors.filter(error => error.endsWith('fatal=true')), []);
  await page.screenshot({ path: path.join(process.env.COMPAT_OUT, 'browser.png') });
});

test('a preflight is answered by the rule', async () => {
  const ask = headers => fetch(`${process.env.LIVEBUCKET_ENDPOINT}/${BUCKET}/${CHANNEL}/playlist.m3u8`, {
    method: 'OPTIONS',
    headers: { 'access-control-request-method': 'GET', 'access-control-request-headers': 'range', ...headers }
  });
  const allowed = await ask({ origin: origin() });
  assert.equal(allowed.status, 200);
  assert.equal(allowed.headers.get('access-control-allow-origin'), origin());
  assert.match(allowed.headers.get('access-control-allow-headers'), /range/i);
  const refused = await ask({ origin: 'http://elsewhere.example' });
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /<Code>AccessForbidden<\/Code>/);
});
