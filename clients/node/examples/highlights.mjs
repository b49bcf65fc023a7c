// Makes an opening, a peak and a closing highlight of a channel's last broadcast.
//   node examples/highlights.mjs CHANNEL
import { connect } from './connect.mjs';

const client = connect();
const [id] = process.argv.slice(2);

const { records } = await client.getChannelHistory(id);
const last = records.at(-1);
const start = Math.floor(last.startTime / 1000);
const end = Math.ceil(last.endTime / 1000);
const third = Math.max(1, Math.floor((end - start) / 3));

await client.createVod(id, 'opening', { startTime: start, endTime: start + third });
await client.createVod(id, 'peak', { startTime: start + third, endTime: end - third });
await client.createVod(id, 'closing', { startTime: end - third - 1, endTime: end });

for (const name of ['opening', 'peak', 'closing']) {
  const { content } = await client.get(`${id}/${name}.m3u8`);
  console.log(`${id}/${name}.m3u8: ${content.toString().match(/#EXTINF/g).length} fragments`);
}
