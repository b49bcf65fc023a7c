// Prints a publish URL for an encoder, with parameters of the application's own; all of them are signed.
//   ffmpeg -re -i input.mp4 -c copy -f flv "$(node examples/publish-url.mjs CHANNEL)"
import { connect } from './connect.mjs';

const client = connect();
const [id] = process.argv.slice(2);

console.log(
  client.getRtmpUrl(id, {
    expires: 3600,
    params: { 'stream-key': 'secure-stream-key-123', 'auth-token': 'token-456', 'user-id': 'user-789' }
  })
);
