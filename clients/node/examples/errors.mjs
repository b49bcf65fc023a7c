// What goes wrong has a code.
//   node examples/errors.mjs CHANNEL      (an existing, idle channel)
import { connect } from './connect.mjs';

const client = connect();
const [id] = process.argv.slice(2);

await outcome('an invalid name', () => client.putChannel('a/b', { name: 'n' }));
await outcome('a channel that is not there', () => client.getChannel('no-such-channel'));
await outcome('a channel that is there already', () => client.putChannel(id, { name: 'n' }, { ifNotExists: true }));
await outcome('a channel that is not live', () => client.getChannelStatus(id, { mustBeLive: true }));
await outcome('a range without fragments', () => client.createVod(id, 'none', { startTime: 1, endTime: 2 }));

async function outcome(what, call) {
  try {
    await call();
    console.log(`${what}: no error`);
  } catch (error) {
    switch (error.code) {
      case 'InvalidChannelName':
      case 'NoSuchLiveChannel':
      case 'ChannelAlreadyExists':
      case 'ChannelNotLive':
      case 'InvalidArgument':
        console.log(`${what}: ${error.code}`);
        break;
      default:
        throw error;
    }
  }
}
