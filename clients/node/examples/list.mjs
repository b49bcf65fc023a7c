// Lists the channels whose id begins with a prefix, page by page.
//   node examples/list.mjs PREFIX
import { connect } from './connect.mjs';

const client = connect();
const [prefix = ''] = process.argv.slice(2);

let marker;
do {
  const page = await client.listChannels({ prefix, ...(marker && { marker }), 'max-keys': 2 });
  for (const channel of page.channels) {
    console.log(`${channel.name} ${channel.status} ${channel.lastModified.toISOString()} ${channel.publishUrls[0]}`);
  }
  marker = page.isTruncated ? page.nextMarker : undefined;
} while (marker);
