// Compiled, never run: what the declarations promise and what they refuse.
import LiveClient, { LiveClient as Named } from 'livebucket-client';

const client = new LiveClient({ accessKeyId: 'k', accessKeySecret: 's', bucket: 'b', endpoint: 'http://h' });
const same: typeof LiveClient = Named;

export async function uses(): Promise<void> {
  const created = await client.putChannel('ch', { name: 'n', fragDuration: 5 }, { ifNotExists: true });
  const url: string = created.publishUrls[0];
  await client.putChannel('ch', { Status: 'enabled', Target: { Type: 'HLS', FragDuration: '5' } });
  // @ts-expect-error a flat configuration needs a name
  await client.putChannel('ch', { fragDuration: 5 });
  // @ts-expect-error not a status
  await client.putChannelStatus('ch', 'on');

  const channel = await client.getChannel('ch');
  const seconds: number = channel.fragDuration;
  // @ts-expect-error the time may be absent
  channel.createTime.getTime();

  const { channels, nextMarker } = await client.listChannels({ prefix: 'p', 'max-keys': 10 });
  const modified: Date[] = channels.map(one => one.lastModified);
  const marker: string | undefined = nextMarker;

  const status = await client.getChannelStatus('ch', { mustBeLive: true });
  if (status.status === 'Live') {
    const width: number | undefined = status.video?.width;
    void width;
  }
  const { records } = await client.getChannelHistory('ch');
  const hours = records.reduce((sum, one) => sum + (one.endTime.getTime() - one.startTime.getTime()), 0) / 3_600_000;
  await client.createVod('ch', 'opening', { startTime: 0, endTime: 1 });
  const publish: string = client.getRtmpUrl('ch', { expires: 60, params: { 'user-id': 7 } });

  // The rest is ali-oss's own.
  const put = await client.put('key', Buffer.from('x'));
  const name: string = put.name;
  void [url, seconds, modified, marker, hours, publish, name, same];
}
