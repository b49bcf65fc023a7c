// Creates a channel from flat options and prints where to publish and where to play.
//   node examples/create.mjs CHANNEL
import { connect } from './connect.mjs';

const client = connect();
const [id = 'event-live'] = process.argv.slice(2);

const { publishUrls, playUrls } = await client.putChannel(id, {
  name: 'My Live Stream',
  description: 'Live streaming channel for events',
  status: 'enabled',
  type: 'HLS',
  fragDuration: 5,
  fragCount: 3,
  playlistName: 'playlist.m3u8'
});

console.log('publish:', publishUrls[0]);
console.log('play:', playUrls[0]);

const channel = await client.getChannel(id);
console.log(`${channel.name}: ${channel.fragCount} fragments of ${channel.fragDuration} s, created ${channel.createTime?.toISOString() ?? 'at an unknown time'}`);
