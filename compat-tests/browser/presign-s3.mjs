// A presigned URL as Amazon's signature V4 makes one, from its description: enough for a test's page.
import crypto from 'node:crypto';

const encode = text => encodeURIComponent(text).replace(/[!'()*]/g, mark => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest();

export class S3mini {
  constructor(endpoint, id, secret) {
    Object.assign(this, { endpoint, id, secret });
  }

  /** `path` is `/bucket/key`, not encoded. */
  presign(method, path, seconds = 60) {
    const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`;
    const query = Object.entries({
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256', 'X-Amz-Credential': `${this.id}/${scope}`, 'X-Amz-Date': time,
      'X-Amz-Expires': seconds, 'X-Amz-SignedHeaders': 'host'
    }).map(([name, value]) => `${name}=${encode(String(value))}`).join('&');
    const target = path.split('/').map(encode).join('/');
    const canonical = [method, target, query, `host:${new URL(this.endpoint).host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n');
    const hash = crypto.createHash('sha256').update(canonical).digest('hex');
    const key = scope.split('/').reduce(hmac, `AWS4${this.secret}`);
    const signature = hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash}`).toString('hex');
    return `${this.endpoint}${target}?${query}&X-Amz-Signature=${signature}`;
  }
}
