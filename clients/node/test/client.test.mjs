import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, test } from 'node:test';

import OSS from 'ali-oss';

import { LiveClient } from '../index.mjs';

const require = createRequire(import.meta.url);
const { RecordingServer } = require('./recording-server.cjs');

const SECRET = 'testAccessKeySecret';

const INFO = `<?xml version="1.0" encoding="UTF-8"?>
<LiveChannelConfiguration><Description>Evening &amp; night</Description><Status>enabled</Status><Target><Type>HLS</Type><FragDuration>5</FragDuration><FragCount>3</FragCount><PlaylistName>playlist.m3u8</PlaylistName></Target></LiveChannelConfiguration>`;

const IDLE = '<LiveChannelStat><Status>Idle</Status></LiveChannelStat>';

const LIVE = `<LiveChannelStat><Status>Live</Status><ConnectedTime>2016-08-25T06:25:15.000Z</ConnectedTime><RemoteAddr>10.1.2.3:47745</RemoteAddr>
<Video><Width>1280</Width><Height>536</Height><FrameRate>24</FrameRate><Bandwidth>0</Bandwidth><Codec>H264</Codec></Video>
<Audio><Bandwidth>12000</Bandwidth><SampleRate>44100</SampleRate><Codec>AAC</Codec></Audio></LiveChannelStat>`;

const CREATED =
  '<CreateLiveChannelResult><PublishUrls><Url>rtmp://h/live/ch</Url></PublishUrls><PlayUrls><Url>http://h/ch/playlist.m3u8</Url></PlayUrls></CreateLiveChannelResult>';

function listed(name) {
  return `<LiveChannel><Name>${name}</Name><Description></Description><Status>disabled</Status><LastModified>2016-07-30T01:54:21.000Z</LastModified><PublishUrls><Url>rtmp://h/live/${name}</Url></PublishUrls><PlayUrls><Url>http://h/${name}/playlist.m3u8</Url></PlayUrls></LiveChannel>`;
}

function list(channels, { truncated = false, next = '' } = {}) {
  return `<ListLiveChannelResult><Prefix></Prefix><Marker></Marker><MaxKeys>100</MaxKeys><IsTruncated>${truncated}</IsTruncated><NextMarker>${next}</NextMarker>${channels.map(listed).join('')}</ListLiveChannelResult>`;
}

let server;
let client;

beforeEach(async () => {
  server = await RecordingServer.start();
  client = new LiveClient({
    accessKeyId: 'testAccessKeyId',
    accessKeySecret: SECRET,
    bucket: 'examplebucket',
    endpoint: `http://127.0.0.1:${server.port}`
  });
});

afterEach(() => server.stop());

/** What V1 signs for a request that `ali-oss` made, from the request as it arrived. */
function signatureV1(request, resource) {
  const ossHeaders = Object.entries(request.headers)
    .filter(([name]) => name.startsWith('x-oss-'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}\n`)
    .join('');
  const text = `${request.method}\n${request.headers['content-md5'] ?? ''}\n${request.headers['content-type'] ?? ''}\n${request.headers['x-oss-date']}\n${ossHeaders}${resource}`;
  return `OSS testAccessKeyId:${crypto.createHmac('sha1', SECRET).update(text).digest('base64')}`;
}

describe('the class', () => {
  test('extends the client of ali-oss and inherits its methods', () => {
    assert.ok(client instanceof OSS);
    assert.equal(client.put, OSS.prototype.put);
    assert.equal(LiveClient.STS, OSS.STS);
  });

  test('is the same for import and require', () => {
    const required = require('..');
    assert.equal(required, LiveClient);
    assert.equal(required.LiveClient, LiveClient);
    assert.equal(required.default, LiveClient);
  });
});

describe('putChannel', () => {
  test('sends the flat form as the document of the service, with the name beside it', async () => {
    server.answer(200, CREATED);
    const result = await client.putChannel('ch', {
      name: 'My Live Stream',
      description: 'Live streaming channel for events',
      status: 'enabled',
      type: 'HLS',
      fragDuration: 5,
      fragCount: 3,
      playlistName: 'playlist.m3u8'
    });

    assert.equal(
      server.last.body.toString(),
      '<LiveChannelConfiguration><name>My Live Stream</name><Description>Live streaming channel for events</Description><Status>enabled</Status><Target><Type>HLS</Type><FragDuration>5</FragDuration><FragCount>3</FragCount><PlaylistName>playlist.m3u8</PlaylistName></Target></LiveChannelConfiguration>'
    );
    assert.equal(server.last.method, 'PUT');
    assert.equal(server.last.path, '/ch');
    assert.deepEqual(server.last.query, { live: '' });
    assert.deepEqual(result.publishUrls, ['rtmp://h/live/ch']);
    assert.deepEqual(result.playUrls, ['http://h/ch/playlist.m3u8']);
    assert.equal(result.res.status, 200);
    assert.equal(result.res.headers['x-oss-request-id'], '0123456789ABCDEF01234567');
  });

  test('leaves out what the caller left out, and defaults the type', async () => {
    server.answer(200, CREATED);
    await client.putChannel('ch', { name: 'n', fragDuration: undefined });
    assert.equal(
      server.last.body.toString(),
      '<LiveChannelConfiguration><name>n</name><Target><Type>HLS</Type></Target></LiveChannelConfiguration>'
    );
  });

  test('escapes text so that it comes back as it was typed', async () => {
    server.answer(200, CREATED);
    await client.putChannel('ch', { name: 'A & B', description: 'a &lt; b <c> &d;' });
    assert.match(server.last.body.toString(), /<name>A &amp; B<\/name>/);
    assert.match(
      server.last.body.toString(),
      /<Description>a &amp;lt; b &lt;c&gt; &amp;d;<\/Description>/
    );
  });

  test('sends text outside of ASCII whole', async () => {
    server.answer(200, CREATED);
    await client.putChannel('测试', { name: '直播频道', description: 'größer' });
    assert.match(server.last.body.toString(), /<name>直播频道<\/name><Description>größer<\/Description>.*<\/LiveChannelConfiguration>$/);
    assert.equal(server.last.headers['content-length'], String(server.last.body.length));
    assert.equal(
      server.last.headers['content-md5'],
      crypto.createHash('md5').update(server.last.body).digest('base64')
    );
    assert.equal(server.last.path, '/测试');
  });

  test('passes the nested form through unchanged', async () => {
    server.answer(200, CREATED);
    await client.putChannel('ch', {
      Description: 'this is channel 1',
      Status: 'enabled',
      Target: { Type: 'HLS', FragDuration: '10', FragCount: '5', PlaylistName: 'playlist.m3u8' }
    });
    assert.equal(
      server.last.body.toString(),
      '<LiveChannelConfiguration><Description>this is channel 1</Description><Status>enabled</Status><Target><Type>HLS</Type><FragDuration>10</FragDuration><FragCount>5</FragCount><PlaylistName>playlist.m3u8</PlaylistName></Target></LiveChannelConfiguration>'
    );
  });

  test('wants a name, and no key that it does not know', async () => {
    await assert.rejects(client.putChannel('ch', { description: 'd' }), /must have a name/);
    await assert.rejects(client.putChannel('ch', { name: 'n', fragmentCount: 3 }), /unknown key.*fragmentCount/);
    await assert.rejects(client.putChannel('ch'), TypeError);
    assert.equal(server.requests.length, 0);
  });

  test('sends x-oss-forbid-overwrite under the signature for ifNotExists, and only then', async () => {
    const options = { ifNotExists: true };
    server.answer(200, CREATED);
    await client.putChannel('ch', { name: 'n' }, options);
    assert.equal(server.last.headers['x-oss-forbid-overwrite'], 'true');
    assert.equal(server.last.headers.authorization, signatureV1(server.last, '/examplebucket/ch?live'));
    assert.deepEqual(options, { ifNotExists: true }, 'the options of the caller stay his');

    server.answer(200, CREATED);
    await client.putChannel('ch', { name: 'n' });
    assert.equal(server.last.headers['x-oss-forbid-overwrite'], undefined);
  });

  test('sends x-oss-forbid-overwrite with a V4 signature as well', async () => {
    const v4 = new LiveClient({ ...client.options, inited: false, endpoint: `http://127.0.0.1:${server.port}`, authorizationV4: true });
    server.answer(200, CREATED);
    await v4.putChannel('ch', { name: 'n' }, { ifNotExists: true });
    assert.equal(server.last.headers['x-oss-forbid-overwrite'], 'true');
    assert.match(server.last.headers.authorization, /^OSS4-HMAC-SHA256 Credential=testAccessKeyId\//);
  });

  test('keeps the code of an error', async () => {
    server.answer(409, '<Error><Code>ChannelAlreadyExists</Code><Message>m</Message><RequestId>r</RequestId><HostId>h</HostId></Error>');
    await assert.rejects(client.putChannel('ch', { name: 'n' }, { ifNotExists: true }), error => {
      assert.equal(error.code, 'ChannelAlreadyExists');
      assert.equal(error.name, 'ChannelAlreadyExistsError');
      assert.equal(error.status, 409);
      assert.equal(error.requestId, 'r');
      return true;
    });
  });
});

describe('getChannel', () => {
  test('gives flat values, with the name and the times from the headers', async () => {
    server.answer(200, INFO, {
      'x-livebucket-channel-name': encodeURIComponent('直播 频道'),
      'x-livebucket-create-time': '2026-01-02T03:04:05.000Z',
      'x-livebucket-last-modified': '2026-02-03T04:05:06.000Z'
    });
    const channel = await client.getChannel('ch');
    assert.equal(channel.name, '直播 频道');
    assert.equal(channel.description, 'Evening & night');
    assert.equal(channel.status, 'enabled');
    assert.equal(channel.type, 'HLS');
    assert.equal(channel.fragDuration, 5);
    assert.equal(channel.fragCount, 3);
    assert.equal(channel.playlistName, 'playlist.m3u8');
    assert.deepEqual(channel.createTime, new Date('2026-01-02T03:04:05Z'));
    assert.deepEqual(channel.lastModified, new Date('2026-02-03T04:05:06Z'));
    assert.equal(channel.data.Target.FragDuration, '5');
    assert.equal(channel.res.status, 200);
  });

  test('falls back where the service sends no such headers', async () => {
    server.answer(200, INFO.replace('Evening &amp; night', ''));
    const channel = await client.getChannel('ch');
    assert.equal(channel.name, 'ch');
    assert.equal(channel.description, undefined);
    assert.equal(channel.createTime, undefined);
    assert.equal(channel.lastModified, undefined);
  });

  test('takes a header that is not an encoding as it is, and no time that is none', async () => {
    server.answer(200, INFO, { 'x-livebucket-channel-name': '100%', 'x-livebucket-create-time': 'yesterday' });
    const channel = await client.getChannel('ch');
    assert.equal(channel.name, '100%');
    assert.equal(channel.createTime, undefined);
  });

  test('keeps NoSuchLiveChannel', async () => {
    server.answer(404, '<Error><Code>NoSuchLiveChannel</Code><Message>The specified live channel does not exist.</Message></Error>');
    await assert.rejects(client.getChannel('ch'), { code: 'NoSuchLiveChannel', status: 404 });
  });
});

describe('deleteChannel and putChannelStatus', () => {
  test('send what ali-oss sends', async () => {
    server.answer(204);
    assert.equal((await client.deleteChannel('ch')).res.status, 204);
    assert.equal(server.last.method, 'DELETE');
    assert.deepEqual(server.last.query, { live: '' });

    server.answer(200);
    assert.equal((await client.putChannelStatus('ch', 'disabled')).res.status, 200);
    assert.equal(server.last.method, 'PUT');
    assert.deepEqual(server.last.query, { live: '', status: 'disabled' });
  });
});

describe('listChannels', () => {
  test('gives flat channels, dates, and where to go on', async () => {
    server.answer(200, list(['a', 'b'], { truncated: true, next: 'b' }));
    const page = await client.listChannels({ prefix: 'p', marker: 'm', 'max-keys': 2 });
    assert.deepEqual(server.last.query, { live: '', prefix: 'p', marker: 'm', 'max-keys': '2' });
    assert.equal(page.isTruncated, true);
    assert.equal(page.nextMarker, 'b');
    assert.deepEqual(page.channels[0], {
      name: 'a',
      description: undefined,
      status: 'disabled',
      lastModified: new Date('2016-07-30T01:54:21Z'),
      publishUrls: ['rtmp://h/live/a'],
      playUrls: ['http://h/a/playlist.m3u8']
    });
    assert.equal(page.channels.length, 2);
    assert.equal(page.res.status, 200);
  });

  test('gives one channel and none as arrays too', async () => {
    server.answer(200, list(['only']));
    assert.deepEqual((await client.listChannels()).channels.map(channel => channel.name), ['only']);
    server.answer(200, list([]));
    const empty = await client.listChannels();
    assert.deepEqual(empty.channels, []);
    assert.equal(empty.isTruncated, false);
    assert.equal(empty.nextMarker, undefined);
  });
});

describe('getChannelStatus', () => {
  test('gives numbers and a date while live', async () => {
    server.answer(200, LIVE);
    const status = await client.getChannelStatus('ch', { mustBeLive: true });
    assert.deepEqual(server.last.query, { live: '', comp: 'stat' });
    assert.equal(status.status, 'Live');
    assert.deepEqual(status.connectedTime, new Date('2016-08-25T06:25:15Z'));
    assert.equal(status.remoteAddr, '10.1.2.3:47745');
    assert.deepEqual(status.video, { width: 1280, height: 536, frameRate: 24, bandwidth: 0, codec: 'H264' });
    assert.deepEqual(status.audio, { bandwidth: 12000, sampleRate: 44100, codec: 'AAC' });
    assert.equal(status.data.Video.Width, '1280');
  });

  test('has nothing but the status while idle', async () => {
    server.answer(200, IDLE);
    const status = await client.getChannelStatus('ch');
    assert.equal(status.status, 'Idle');
    for (const key of ['connectedTime', 'remoteAddr', 'video', 'audio']) assert.equal(status[key], undefined, key);
  });

  test('fails with ChannelNotLive for mustBeLive when idle or disabled', async () => {
    for (const state of ['Idle', 'Disabled']) {
      server.answer(200, IDLE.replace('Idle', state));
      await assert.rejects(client.getChannelStatus('ch', { mustBeLive: true }), error => {
        assert.equal(error.code, 'ChannelNotLive');
        assert.equal(error.name, 'ChannelNotLiveError');
        assert.equal(error.requestId, '0123456789ABCDEF01234567');
        return true;
      });
    }
  });
});

describe('getChannelHistory', () => {
  test('gives dates, for none, one and several records', async () => {
    const record = '<LiveRecord><StartTime>2016-07-30T01:53:21.000Z</StartTime><EndTime>2016-07-30T01:53:31.000Z</EndTime><RemoteAddr>10.1.2.3:56861</RemoteAddr></LiveRecord>';
    for (const count of [0, 1, 3]) {
      server.answer(200, `<LiveChannelHistory>${record.repeat(count)}</LiveChannelHistory>`);
      const { records } = await client.getChannelHistory('ch');
      assert.equal(records.length, count);
      for (const one of records) {
        assert.equal(one.endTime - one.startTime, 10_000);
        assert.equal(one.remoteAddr, '10.1.2.3:56861');
      }
    }
  });
});

describe('createVod', () => {
  test('gives a name without an extension one, and leaves another alone', async () => {
    for (const [name, sent] of [['opening', 'opening.m3u8'], ['peak.m3u8', 'peak.m3u8'], ['x.txt', 'x.txt']]) {
      server.answer(200);
      await client.createVod('ch', name, { startTime: 100, endTime: 200 });
      assert.equal(server.last.method, 'POST');
      assert.equal(server.last.path, `/ch/${sent}`);
      assert.deepEqual(server.last.query, { vod: '', startTime: '100', endTime: '200' });
    }
  });
});

describe('getRtmpUrl', () => {
  test('signs the channel and every parameter', () => {
    const url = new URL(client.getRtmpUrl('ch', { expires: 3600, params: { 'stream-key': 'k', playlistName: 'p.m3u8' } }));
    assert.equal(url.host, `127.0.0.1:${server.port}`);
    assert.equal(url.pathname, '/live/ch');
    const expires = Number(url.searchParams.get('Expires'));
    assert.ok(Math.abs(expires - (Date.now() / 1000 + 3600)) < 5);
    const text = `${expires}\nplaylistName:p.m3u8\nstream-key:k\n/examplebucket/ch`;
    assert.equal(url.searchParams.get('Signature'), crypto.createHmac('sha1', SECRET).update(text).digest('base64'));
    assert.equal(url.searchParams.get('stream-key'), 'k');
  });

  test('needs no options and leaves the options of the caller alone', () => {
    const expires = Number(new URL(client.getRtmpUrl('ch')).searchParams.get('Expires'));
    assert.ok(Math.abs(expires - (Date.now() / 1000 + 1800)) < 5);
    const options = { expires: 60 };
    client.getRtmpUrl('ch', options);
    assert.deepEqual(options, { expires: 60 });
  });
});
