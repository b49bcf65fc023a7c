// Multipart uploads through ali-oss, over every way of addressing and both signatures.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { connect, fails, ways } from './clients.mjs';

const PART = 100 * 1024;
const md5 = data => crypto.createHash('md5').update(data).digest();

/** The tag that S3 gives an object of these parts, in OSS's upper case. */
function tagOf(body, partSize) {
  const digests = [];
  for (let at = 0; at < body.length; at += partSize) digests.push(md5(body.subarray(at, at + partSize)));
  return `"${md5(Buffer.concat(digests)).toString('hex').toUpperCase()}-${digests.length}"`;
}

for (const way of ways) {
  describe(way.title, () => {
    let client;
    let folder;
    const bucket = `${way.bucket}-parts`;
    const body = crypto.randomBytes(4 * PART + 12345);

    before(async () => {
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'parts-'));
      fs.writeFileSync(path.join(folder, 'body.bin'), body);
      client = connect(way);
      await client.putBucket(bucket);
      client.useBucket(bucket);
    });

    after(async () => {
      const { objects } = await client.list({ 'max-keys': 1000 });
      if (objects.length > 0) await client.deleteMulti(objects.map(object => object.name), { quiet: true });
      await client.deleteBucket(bucket);
      fs.rmSync(folder, { recursive: true });
    });

    test('multipartUpload of a buffer and of a file, with progress, headers and metadata', async () => {
      for (const [name, source] of [['up/buffer ä+1', body], ['up/file.bin', path.join(folder, 'body.bin')]]) {
        const seen = [];
        const done = await client.multipartUpload(name, source, {
          partSize: PART,
          parallel: 3,
          progress: percentage => seen.push(percentage),
          meta: { author: 'alice' },
          mime: 'video/MP2T',
          headers: { 'Cache-Control': 'max-age=5' }
        });
        assert.equal(done.etag, tagOf(body, PART));
        assert.equal(done.bucket, bucket);
        assert.equal(done.name, name);
        assert.equal(seen[0], 0);
        assert.equal(seen.at(-1), 1);
        assert.equal(seen.length, 7, 'the beginning, five parts, the end');
        const got = await client.get(name);
        assert.ok(got.content.equals(body));
        assert.equal(got.res.headers['x-oss-object-type'], 'Multipart');
        assert.equal(got.res.headers['x-oss-meta-author'], 'alice');
        assert.equal(got.res.headers['content-type'], 'video/MP2T');
        assert.equal(got.res.headers['cache-control'], 'max-age=5');
        assert.equal(got.res.headers.etag, done.etag);
        const part = await client.get(name, { headers: { Range: `bytes=${PART - 10}-${2 * PART + 9}` } });
        assert.equal(part.res.status, 206);
        assert.ok(part.content.equals(body.subarray(PART - 10, 2 * PART + 10)), 'a range over three parts');
      }
      const { objects } = await client.list({ prefix: 'up/' });
      assert.deepEqual(objects.map(one => one.type), ['Multipart', 'Multipart']);
    });

    test('a small file is one plain put', async () => {
      await client.multipartUpload('small', Buffer.from('small'), { partSize: PART });
      assert.equal((await client.head('small')).res.headers['x-oss-object-type'], 'Normal');
    });

    test('an upload is cancelled and resumed from its checkpoint by another client', async () => {
      const first = connect(way, { bucket });
      let checkpoint;
      await assert.rejects(
        first.multipartUpload('resumed', path.join(folder, 'body.bin'), {
          partSize: PART,
          parallel: 1,
          progress: (percentage, state) => {
            checkpoint = state;
            if (state?.doneParts.length === 2) first.cancel();
          }
        }),
        error => error.name === 'cancel'
      );
      assert.equal(checkpoint.doneParts.length, 2);
      const saved = JSON.parse(JSON.stringify(checkpoint));
      await fails(() => client.head('resumed'), 'NoSuchKey', 404);
      let parts = 0;
      const done = await client.multipartUpload('resumed', saved.file, {
        checkpoint: saved,
        parallel: 2,
        progress: () => (parts += 1)
      });
      assert.equal(parts, 4, 'three parts that were missing, and the end');
      assert.equal(done.etag, tagOf(body, PART));
      assert.ok((await client.get('resumed')).content.equals(body));
    });

    test('initMultipartUpload, uploadPart, listParts, completeMultipartUpload', async () => {
      const name = 'api/by hand';
      const { uploadId } = await client.initMultipartUpload(name);
      assert.match(uploadId, /^[0-9A-F]{32}$/);
      const file = path.join(folder, 'body.bin');
      const parts = [];
      for (const number of [3, 1, 2]) {
        const start = (number - 1) * PART;
        const part = await client.uploadPart(name, uploadId, number, file, start, start + PART);
        assert.equal(part.etag, `"${md5(body.subarray(start, start + PART)).toString('hex').toUpperCase()}"`);
        parts.push({ number, etag: part.etag });
      }
      const listed = await client.listParts(name, uploadId, { 'max-parts': 2 });
      assert.deepEqual(listed.parts.map(part => [part.PartNumber, part.Size]), [['1', String(PART)], ['2', String(PART)]]);
      assert.deepEqual([listed.isTruncated, listed.nextPartNumberMarker, listed.name], ['true', '2', name]);
      const rest = await client.listParts(name, uploadId, { 'part-number-marker': listed.nextPartNumberMarker });
      assert.equal(rest.parts.PartNumber, '3');

      const wrong = parts.map(part => ({ ...part, etag: part.number === 2 ? parts[0].etag : part.etag }));
      await fails(() => client.completeMultipartUpload(name, uploadId, wrong), 'InvalidPart', 400);
      const done = await client.completeMultipartUpload(name, uploadId, parts);
      const again = await client.completeMultipartUpload(name, uploadId, parts);
      assert.equal(again.etag, done.etag, 'the same request again gets the same answer');
      assert.ok((await client.get(name)).content.equals(body.subarray(0, 3 * PART)));
      await fails(() => client.listParts(name, uploadId, {}), 'NoSuchUpload', 404);
    });

    test('a short part that is not the last is refused', async () => {
      const { uploadId } = await client.initMultipartUpload('short');
      const file = path.join(folder, 'body.bin');
      const parts = [];
      for (const number of [1, 2]) {
        parts.push({ number, etag: (await client.uploadPart('short', uploadId, number, file, 0, PART - number)).etag });
      }
      const error = await fails(() => client.completeMultipartUpload('short', uploadId, parts), 'EntityTooSmall', 400);
      assert.equal(error.ecCode, '0042-00000213');
      await client.abortMultipartUpload('short', uploadId);
    });

    test('multipartUploadCopy, whole and by range', async () => {
      await client.put('copy/source ä', body);
      const done = await client.multipartUploadCopy(
        'copy/target',
        { sourceKey: 'copy/source ä', sourceBucketName: bucket },
        { partSize: PART, parallel: 2, meta: { copied: 'yes' } }
      );
      assert.equal(done.etag, tagOf(body, PART));
      assert.ok((await client.get('copy/target')).content.equals(body));

      const { uploadId } = await client.initMultipartUpload('copy/range');
      const source = { sourceKey: 'copy/source ä', sourceBucketName: bucket };
      const part = await client.uploadPartCopy('copy/range', uploadId, 1, `${PART}-${3 * PART - 1}`, source);
      await client.completeMultipartUpload('copy/range', uploadId, [{ number: 1, etag: part.etag }]);
      assert.ok((await client.get('copy/range')).content.equals(body.subarray(PART, 3 * PART)));
    });

    test('listUploads with prefix, markers and pages; abortMultipartUpload', async () => {
      const ids = new Map();
      for (const name of ['list/a', 'list/b +é', 'list/b +é', 'other']) {
        const { uploadId } = await client.initMultipartUpload(name);
        ids.set(uploadId, name);
      }
      await fails(() => client.deleteBucket(bucket), 'BucketNotEmpty', 409);
      const seen = [];
      let markers = {};
      do {
        const page = await client.listUploads({ prefix: 'list/', 'max-uploads': 2, ...markers });
        assert.equal(page.bucket, bucket);
        seen.push(...page.uploads.map(upload => [upload.name, upload.uploadId]));
        markers = page.isTruncated
          ? { 'key-marker': page.nextKeyMarker, 'upload-id-marker': page.nextUploadIdMarker }
          : undefined;
      } while (markers);
      assert.deepEqual(seen.map(([name]) => name), ['list/a', 'list/b +é', 'list/b +é']);
      assert.ok(seen.every(([name, id]) => ids.get(id) === name));
      for (const [id, name] of ids) {
        assert.equal((await client.abortMultipartUpload(name, id)).res.status, 204);
        await fails(() => client.abortMultipartUpload(name, id), 'NoSuchUpload', 404);
      }
      assert.deepEqual((await client.listUploads({})).uploads, []);
      // `abortMultipartUpload` also stops what its client has running.
      client.resetCancelFlag();
    });
  });
}
