// The live-channel functions of ali-oss, over every way of addressing and both signatures. What is expected of them
// follows the client's own test of them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connect, fails, ways } from './clients.mjs';

const CONF = {
  Description: 'this is channel 1',
  Status: 'enabled',
  Target: { Type: 'HLS', FragDuration: '10', FragCount: '5', PlaylistName: 'playlist.m3u8' }
};

for (const way of ways) {
  describe(way.title, () => {
    let client;

    before(async () => {
      client = connect(way);
      await client.putBucket(way.bucket);
      client.useBucket(way.bucket);
    });

    after(async () => {
      for (;;) {
        const { channels } = await client.listChannels();
        if (channels.length === 0) break;
        for (const { Name } of channels) await client.deleteChannel(Name);
      }
      await client.deleteBucket(way.bucket);
    });

    /** The host that results are expected to name: a bucket before a name, in the path behind an IP. */
    function host() {
      const { host: endpoint, hostname } = new URL(client.options.endpoint.href);
      return hostname === 'localhost' ? `${way.bucket}.${endpoint}` : undefined;
    }

    test('putChannel gives a publish and a play URL; getChannel echoes the configuration', async () => {
      const created = await client.putChannel('channel-1', CONF);
      assert.equal(created.res.status, 200);
      assert.equal(created.publishUrls.length, 1);
      assert.equal(created.playUrls.length, 1);
      if (host()) {
        assert.equal(created.publishUrls[0], `rtmp://${host()}/live/channel-1`);
        assert.equal(created.playUrls[0], `http://${host()}/channel-1/playlist.m3u8`);
      } else {
        assert.match(created.publishUrls[0], /^rtmp:\/\/\S+\/live\/channel-1$/);
        assert.doesNotMatch(created.publishUrls[0], /aliyuncs\.com/);
        assert.match(created.playUrls[0], /^http:\/\/\S+\/channel-1\/playlist\.m3u8$/);
        assert.doesNotMatch(created.playUrls[0], /aliyuncs\.com/);
      }

      const { data, res } = await client.getChannel('channel-1');
      assert.equal(res.status, 200);
      assert.deepEqual(data, CONF);
    });

    test('putChannel replaces an idle channel', async () => {
      await client.putChannel('replaced', CONF);
      await client.putChannel('replaced', { ...CONF, Description: 'second' });
      assert.equal((await client.getChannel('replaced')).data.Description, 'second');
    });

    test('putChannel takes numbers, an escaped description and characters outside of ASCII', async () => {
      await client.putChannel('直播 频道', {
        Description: '<a> & "b" 描述',
        Status: 'disabled',
        Target: { Type: 'HLS', FragDuration: 1, FragCount: 100, PlaylistName: 'live.m3u8' }
      });
      const { data } = await client.getChannel('直播 频道');
      assert.deepEqual(data, {
        Description: '<a> & "b" 描述',
        Status: 'disabled',
        Target: { Type: 'HLS', FragDuration: '1', FragCount: '100', PlaylistName: 'live.m3u8' }
      });
    });

    test('putChannel takes the flat form of a description of this client', async () => {
      const created = await client.putChannel('flat', {
        name: 'My Live Stream',
        description: 'Live streaming channel for events',
        status: 'disabled',
        type: 'HLS',
        fragDuration: 7,
        fragCount: 4,
        playlistName: 'flat.m3u8'
      });
      assert.match(created.playUrls[0], /\/flat\/flat\.m3u8$/);
      assert.deepEqual((await client.getChannel('flat')).data, {
        Description: 'Live streaming channel for events',
        Status: 'disabled',
        Target: { Type: 'HLS', FragDuration: '7', FragCount: '4', PlaylistName: 'flat.m3u8' }
      });
    });

    test('a flat form with only a name has the defaults', async () => {
      await client.putChannel('flat-defaults', { name: 'n', fragDuration: 9 });
      assert.deepEqual((await client.getChannel('flat-defaults')).data, {
        Description: '',
        Status: 'enabled',
        Target: { Type: 'HLS', FragDuration: '9', FragCount: '3', PlaylistName: 'playlist.m3u8' }
      });
    });

    test('invalid configurations and names are refused with their codes', async () => {
      const bad = target => ({ ...CONF, Target: { ...CONF.Target, ...target } });
      for (const [conf, ec] of [
        [bad({ Type: 'hls' }), '0044-00000013'],
        [bad({ FragDuration: 0 }), '0044-00000014'],
        [bad({ FragDuration: 101 }), '0044-00000014'],
        [bad({ FragCount: 'x' }), '0044-00000015'],
        [bad({ PlaylistName: 'a/b.m3u8' }), '0044-00000016'],
        [bad({ PlaylistName: 'playlist.ts' }), '0044-00000018'],
        [{ ...CONF, Status: 'on' }, '0044-00000002'],
        [{ ...CONF, Description: 'd'.repeat(129) }, '0044-00000001'],
        [{ unknown: 'x' }, '0044-00000013']
      ]) {
        const error = await fails(() => client.putChannel('bad', conf), 'InvalidArgument', 400);
        assert.equal(error.ecCode, ec, JSON.stringify(conf));
      }
      await fails(() => client.getChannel('bad'), 'NoSuchLiveChannel', 404);
      const slash = await fails(() => client.putChannel('a/b', CONF), 'InvalidChannelName', 400);
      assert.equal(slash.ecCode, '0017-00000260');
      const long = await fails(() => client.putChannel('n'.repeat(64), CONF), 'InvalidChannelName', 400);
      assert.equal(long.ecCode, '0017-00000258');
      await client.putChannel('n'.repeat(63), CONF);
    });

    test('putChannelStatus moves the status between Idle and Disabled', async () => {
      await client.putChannel('state', CONF);
      assert.deepEqual((await client.getChannelStatus('state')).data, { Status: 'Idle' });
      assert.equal((await client.putChannelStatus('state', 'disabled')).res.status, 200);
      assert.deepEqual((await client.getChannelStatus('state')).data, { Status: 'Disabled' });
      assert.equal((await client.getChannel('state')).data.Status, 'disabled');
      await client.putChannelStatus('state', 'disabled');
      await client.putChannelStatus('state', 'enabled');
      assert.deepEqual((await client.getChannelStatus('state')).data, { Status: 'Idle' });
      const error = await fails(() => client.putChannelStatus('state', 'Enabled'), 'InvalidArgument', 400);
      assert.equal(error.ecCode, '0017-00000255');
    });

    test('listChannels pages by prefix, marker and max-keys', async () => {
      for (let i = 0; i < 10; i++) {
        await client.putChannel(`channel-list-${i}`, { ...CONF, Description: `channel ${i}` });
      }
      const page = await client.listChannels({ prefix: 'channel-list-', marker: 'channel-list-4', 'max-keys': 3 });
      assert.deepEqual(page.channels.map(channel => channel.Name), ['channel-list-5', 'channel-list-6', 'channel-list-7']);
      assert.equal(page.nextMarker, 'channel-list-7');
      assert.equal(page.isTruncated, true);
      const [first] = page.channels;
      assert.equal(first.Description, 'channel 5');
      assert.equal(first.Status, 'enabled');
      assert.match(first.LastModified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
      assert.match(first.PublishUrls[0], /^rtmp:\/\/\S+\/live\/channel-list-5$/);
      assert.match(first.PlayUrls[0], /\/channel-list-5\/playlist\.m3u8$/);

      const rest = await client.listChannels({ prefix: 'channel-list-', marker: 'channel-list-7' });
      assert.equal(rest.channels.length, 2);
      assert.equal(rest.isTruncated, false);
      assert.equal(rest.nextMarker, null);
      assert.deepEqual((await client.listChannels({ prefix: 'none-such' })).channels, []);
      for (const keys of [0, -1, 1001, 'x']) {
        const error = await fails(() => client.listChannels({ 'max-keys': keys }), 'InvalidArgument', 400);
        assert.equal(error.ecCode, '0044-00000101');
      }
    });

    test('a name with spaces works in every call', async () => {
      const id = 'live channel 2';
      await client.putChannel(id, CONF);
      assert.deepEqual((await client.getChannel(id)).data, CONF);
      assert.equal((await client.getChannelStatus(id)).data.Status, 'Idle');
      assert.deepEqual((await client.getChannelHistory(id)).records, []);
      await client.putChannelStatus(id, 'disabled');
      assert.ok((await client.listChannels({ prefix: 'live ' })).channels.some(channel => channel.Name === id));
      assert.equal((await client.deleteChannel(id)).res.status, 204);
      await fails(() => client.getChannel(id), 'NoSuchLiveChannel', 404);
    });

    test('deleteChannel gives 204, for a channel that is not there too', async () => {
      await client.putChannel('deleted', CONF);
      assert.equal((await client.deleteChannel('deleted')).res.status, 204);
      assert.equal((await client.deleteChannel('deleted')).res.status, 204);
      for (const call of ['getChannel', 'getChannelStatus', 'getChannelHistory']) {
        const error = await fails(() => client[call]('deleted'), 'NoSuchLiveChannel', 404);
        assert.equal(error.ecCode, '0026-00000021');
        assert.match(error.requestId, /^[0-9A-F]{24}$/);
      }
      await fails(() => client.putChannelStatus('deleted', 'enabled'), 'NoSuchLiveChannel', 404);
    });

    test('getChannelHistory is empty before the first publish', async () => {
      await client.putChannel('fresh', CONF);
      assert.deepEqual((await client.getChannelHistory('fresh')).records, []);
    });

    test('createVod without fragments says so, whether or not the channel exists', async () => {
      const now = Math.floor(Date.now() / 1000);
      for (const channel of ['channel-1', 'no-such-channel']) {
        const error = await fails(
          () => client.createVod(channel, 're-play.m3u8', { startTime: now - 3600, endTime: now + 3600 }),
          'InvalidArgument',
          400
        );
        assert.equal(error.ecCode, '0044-00000308');
        assert.equal(error.message, 'No ts file found in specified time span.');
      }
      const backwards = await fails(() => client.createVod('channel-1', 'v.m3u8', { startTime: 200, endTime: 100 }), 'InvalidArgument', 400);
      assert.equal(backwards.ecCode, '0044-00000306');
      const long = await fails(() => client.createVod('channel-1', 'v.m3u8', { startTime: 1, endTime: 86402 }), 'InvalidArgument', 400);
      assert.equal(long.ecCode, '0044-00000307');
      const name = await fails(() => client.createVod('channel-1', 'v.mp4', { startTime: 1, endTime: 2 }), 'InvalidArgument', 400);
      assert.equal(name.ecCode, '0044-00000403');
    });

    test('getRtmpUrl keeps host and port of the endpoint', () => {
      const url = new URL(client.getRtmpUrl('channel-1', { params: { playlistName: 'test.m3u8' }, expires: 3600 }));
      const endpoint = new URL(client.options.endpoint.href);
      assert.equal(url.port, endpoint.port);
      assert.equal(url.searchParams.get('playlistName'), 'test.m3u8');
      assert.ok(url.searchParams.get('Signature'));
    });

    test('a bucket with channels cannot be deleted, and the errors of buckets have their codes', async () => {
      await client.putChannel('channel-1', CONF);
      await fails(() => client.deleteBucket(way.bucket), 'BucketNotEmpty', 409);
      const elsewhere = connect(way, { bucket: 'no-such-bucket-here' });
      await fails(() => elsewhere.putChannel('c', CONF), 'NoSuchBucket', 404);
      await fails(() => elsewhere.listChannels(), 'NoSuchBucket', 404);
    });

    test('wrong keys are refused', async () => {
      const wrong = connect(way, { bucket: way.bucket, accessKeySecret: 'not the secret' });
      await fails(() => wrong.getChannel('channel-1'), 'SignatureDoesNotMatch', 403);
      const unknown = connect(way, { bucket: way.bucket, accessKeyId: 'nobody' });
      await fails(() => unknown.listChannels(), 'InvalidAccessKeyId', 403);
    });
  });
}
