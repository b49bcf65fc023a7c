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
import { fileURLToPath } from 'node:url';

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

// A quarter of the pictures, in fragments that are cut by force after a minute since no key frame comes.
const endless = ['-f', 'lavfi', '-i', 'testsrc2=size=192x108:rate=6:duration=70', '-f', 'lavfi', '-i', 'sine=sample_rate=44100:duration=70'];
// Four seconds for `send_tags`, which puts such files behind each other in one connection.
const short = rate => ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=4', '-f', 'lavfi', '-i', `sine=sample_rate=${rate}:duration=4`, ...coded, '-threads', '1'];

// What is published, one publish after the other, how long it lasts at least, what must be heard and seen, and what the playlist says.
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
  // Within a connection: two discontinuities, and a fragment that does not begin with a key frame.
  'jump-back': { parts: [[short(44100), 60_000], [short(44100), 0]], seconds: 7.8, marks: 1 },
  'another-rate': { parts: [[short(44100), 0], [short(48000), 4_000]], seconds: 7.8, marks: 1 },
  'forced-cut': { sends: [[...endless, ...coded, '-g', '10000', '-keyint_min', '10000', '-sc_threshold', '0']], seconds: 69, target: 60, from: 56 },
  // A publisher that returns with another size: a discontinuity.
  'another-size': { sends: [[...picture, ...tone, ...coded], [...small, ...tone, ...coded]], seconds: 15.6, marks: 1 }
};

let pages;
let context;
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'compat-chromium-'));

function run(program, ...args) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve, reject) => child.on('exit', code => (code === 0 ? resolve() : reject(new Error(`${program}: ${code}`)))));
}

const encode = (source, to) => run('ffmpeg', '-v', 'error', '-nostdin', ...source, '-f', 'flv', to);
const publish = (channel, source) => encode(source, client.getRtmpUrl(channel));

// Files one after another in one connection, each from its time in milliseconds on.
async function publishParts(channel, parts) {
  const files = parts.map((_, index) => path.join(profile, `${channel}-${index}.flv`));
  await Promise.all(parts.map(([source], index) => encode(source, files[index])));
  const sender = fileURLToPath(new URL('../harness/send_tags.py', import.meta.url));
  await run('python3', sender, client.getRtmpUrl(channel), ...parts.map(([, at], index) => `${files[index]}@${at}`));
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
  await Promise.all(Object.entries(streams).map(async ([channel, { sends, parts }]) => {
    await client.putChannel(channel, { Target: { Type: 'HLS', FragDuration: 2, FragCount: 50 } });
    for (const [index, source] of (sends ?? [parts]).entries()) {
      await (sends ? publish : publishParts)(channel, source);
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

// What the player says at the end of the playlist, which it begins at this second, and plays so many times as fast.
async function play(channel, rate, from) {
  const page = await context.newPage();
  const source = `${process.env.LIVEBUCKET_ENDPOINT}/${BUCKET}/${channel}/whole.m3u8`;
  await page.goto(`http://127.0.0.1:${pages.address().port}/?src=${encodeURIComponent(source)}`);
  await page.waitForFunction(() => document.getElementById('video').readyState > 0);
  if (from) await page.evaluate(at => { document.getElementById('video').currentTime = at; }, from);
  const state = () => page.evaluate(playbackRate => {
    const video = Object.assign(document.getElementById('video'), { playbackRate });
    return {
      ended: video.ended,
      time: video.currentTime,
      duration: video.duration,
      width: video.videoWidth,
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
      audible: Boolean(video.webkitAudioDecodedByteCount),
      errors: window.errors
    };
  }, rate);
  let last;
  await until(40, () => `the end: ${JSON.stringify(last)}`, async () => (last = await state()).ended);
  await page.close();
  return last;
}

for (const [channel, { seconds, silent, dark, marks = 0, target, from = 0 }] of Object.entries(streams)) {
  test(`${channel} plays to its end`, { timeout: 120_000 }, async () => {
    const playlist = (await client.get(`${channel}/whole.m3u8`)).content.toString();
    assert.equal(playlist.split('#EXT-X-DISCONTINUITY\n').length - 1, marks, playlist);
    if (target) assert.ok(playlist.includes(`#EXT-X-TARGETDURATION:${target}\n`), playlist);
    let last;
    for (const rate of [4, 2, 1]) {
      last = await play(channel, rate, from);
      // A machine that is too busy to decode stalls now and then, a hole in the media each time.
      if (!last.errors.length || last.errors.some(error => !error.includes('bufferStalledError'))) break;
    }
    assert.deepEqual(last.errors, []);
    assert.ok(last.time >= seconds, JSON.stringify(last));
    assert.equal(last.audible, !silent, JSON.stringify(last));
    assert.equal(last.width > 0 && last.frames > 20, !dark, JSON.stringify(last));
  });
}
