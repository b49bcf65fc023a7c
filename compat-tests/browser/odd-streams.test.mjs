// hls.js plays what odd streams have left, from the first fragment to the last, and meets no error on the way.
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

const BUCKET = 'browser-odd';
const require = createRequire(import.meta.url);
const client = new OSS({
  endpoint: process.env.LIVEBUCKET_ENDPOINT,
  bucket: BUCKET,
  accessKeyId: process.env.LIVEBUCKET_ACCESS_KEY,
  accessKeySecret: process.env.LIVEBUCKET_SECRET_KEY
});

const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=8'];
const tone = ['-f', 'lavfi', '-i', 'sine=sample_rate=44100:duration=8'];
const coded = ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '50', '-bf', '2', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];
const small = ['-f', 'lavfi', '-i', 'testsrc2=size=192x108:rate=25:duration=8'];

// What is published, one publish after the other, how long it lasts at least, and what must be heard and seen.
const streams = {
  plain: { sends: [[...picture, ...tone, ...coded]], seconds: 7.8 },
  'open-gop': { sends: [[...picture, ...tone, ...coded, '-x264-params', 'open-gop=1']], seconds: 7.8 },
  'slices-sei': { sends: [[...picture, ...tone, ...coded, '-x264-params', 'slices=4:aud=1:nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=500']], seconds: 7.8 },
  'far-from-zero': { sends: [[...picture, ...tone, ...coded, '-output_ts_offset', '16774']], seconds: 7.8 },
  'picture-alone': { sends: [[...picture, ...coded]], seconds: 7.8, silent: true },
  'sound-alone': { sends: [[...tone, ...coded]], seconds: 7.8, dark: true },
  'sound-first': { sends: [[...picture, ...tone, '-vf', 'setpts=PTS+1.5/TB', ...coded]], seconds: 7.8 },
  // Announced, and later than the picture by more than a fragment.
  'sound-late': { sends: [[...picture, '-itsoffset', '4.5', '-f', 'lavfi', '-i', 'sine=sample_rate=44100:duration=4', ...coded]], seconds: 7.5 },
  // A microphone that is switched off: without silence in its place the picture would stop there.
  'sound-stops': { sends: [[...picture, '-f', 'lavfi', '-i', 'sine=sample_rate=44100:duration=3', ...coded]], seconds: 7.5 },
  'sound-stops-and-returns': { sends: [[...picture, ...tone, '-af', "aselect='not(between(t,2,5.5))'", ...coded]], seconds: 7.5 },
  // A publisher that returns with another size: a discontinuity.
  'another-size': { sends: [[...picture, ...tone, ...coded], [...small, ...tone, ...coded]], seconds: 15.6 }
};

let pages;
let context;
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'compat-chromium-'));

function publish(channel, source) {
  const url = client.getRtmpUrl(channel);
  const encoder = spawn('ffmpeg', ['-v', 'error', '-nostdin', ...source, '-f', 'flv', url], { stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve, reject) => encoder.on('exit', code => (code === 0 ? resolve() : reject(new Error(`ffmpeg: ${code}`)))));
}

async function until(seconds, what, condition) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const result = await condition();
    if (result) return result;
    assert.ok(Date.now() < end, `not within ${seconds} s: ${what()}`);
    await sleep(100);
  }
}

before(async () => {
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
  await client.putBucketCORS(BUCKET, [{ allowedOrigin: '*', allowedMethod: ['GET', 'HEAD'], allowedHeader: '*' }]);
  const since = Math.floor(Date.now() / 1000) - 5;
  await Promise.all(Object.entries(streams).map(async ([channel, { sends }]) => {
    await client.putChannel(channel, { Target: { Type: 'HLS', FragDuration: 2, FragCount: 50 } });
    for (const [index, source] of sends.entries()) {
      await publish(channel, source);
      await until(10, () => `${channel} is idle`, async () => {
        const records = (await client.getChannelHistory(channel)).records ?? [];
        return records.length > index;
      });
    }
    await client.createVod(channel, 'whole.m3u8', { startTime: since, endTime: Math.ceil(Date.now() / 1000) + 60 });
  }));
  context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--autoplay-policy=no-user-gesture-required'
    ]
  });
});

after(async () => {
  await context?.close();
  pages?.close();
  pages?.closeAllConnections();
  fs.rmSync(profile, { recursive: true, force: true });
});

for (const [channel, { seconds, silent, dark }] of Object.entries(streams)) {
  test(`${channel} plays to its end`, { timeout: 60_000 }, async () => {
    const page = await context.newPage();
    const source = `${process.env.LIVEBUCKET_ENDPOINT}/${BUCKET}/${channel}/whole.m3u8`;
    await page.goto(`http://127.0.0.1:${pages.address().port}/?src=${encodeURIComponent(source)}`);
    const state = () => page.evaluate(() => {
      const video = document.getElementById('video');
      video.playbackRate = 4;
      return {
        ended: video.ended,
        time: video.currentTime,
        duration: video.duration,
        width: video.videoWidth,
        frames: video.getVideoPlaybackQuality().totalVideoFrames,
        audible: Boolean(video.webkitAudioDecodedByteCount),
        errors: window.errors
      };
    });
    let last;
    await until(40, () => `the end: ${JSON.stringify(last)}`, async () => (last = await state()).ended);
    assert.deepEqual(last.errors, []);
    assert.ok(last.time >= seconds, JSON.stringify(last));
    assert.equal(last.audible, !silent, JSON.stringify(last));
    assert.equal(last.width > 0 && last.frames > 20, !dark, JSON.stringify(last));
    await page.close();
  });
}
