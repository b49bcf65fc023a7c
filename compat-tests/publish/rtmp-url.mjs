// Prints what `client.getRtmpUrl()` of ali-oss gives:  node rtmp-url.mjs ENDPOINT BUCKET CHANNEL [OPTIONS-AS-JSON]
// OPTIONS: { client: {...}, url: {...} }, merged into the client's options and given to getRtmpUrl.
import OSS from 'ali-oss';

const [endpoint, bucket, channel, options = '{}'] = process.argv.slice(2);
const { client: clientOptions = {}, url: urlOptions = {} } = JSON.parse(options);

const client = new OSS({
  endpoint,
  bucket,
  accessKeyId: process.env.LIVEBUCKET_ACCESS_KEY,
  accessKeySecret: process.env.LIVEBUCKET_SECRET_KEY,
  ...clientOptions
});
console.log(client.getRtmpUrl(channel, urlOptions));
