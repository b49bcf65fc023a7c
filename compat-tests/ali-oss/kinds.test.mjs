// Symlinks, storage classes and restores through ali-oss, over every way of addressing and both signatures.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connect, fails, ways } from './clients.mjs';

for (const way of ways) {
  describe(way.title, () => {
    let client;
    const bucket = `${way.bucket}-kinds`.slice(0, 63);

    before(async () => {
      client = connect(way);
      await client.putBucket(bucket, { storageClass: 'IA' });
      client.useBucket(bucket);
    });

    after(async () => {
      const { objects } = await client.list({ 'max-keys': 1000 });
      if (objects.length > 0) await client.deleteMulti(objects.map(object => object.name), { quiet: true });
      await client.deleteBucket(bucket);
    });

    test('putSymlink, getSymlink and what is behind it', async () => {
      await client.put('dir/ü a', Buffer.from('hello'));
      await client.putSymlink('link', 'dir/ü a', { storageClass: 'Standard', meta: { uid: 1 }, headers: { 'content-type': 'text/plain' } });
      const told = await client.getSymlink('link');
      assert.equal(told.targetName, 'dir/ü a');
      const got = await client.get('link');
      assert.equal(got.content.toString(), 'hello');
      assert.equal(got.res.headers['content-type'], 'text/plain');
      const head = await client.head('link');
      assert.equal(head.res.headers['x-oss-object-type'], 'Symlink');
      assert.equal(head.res.headers['content-length'], '5');
      assert.deepEqual(head.meta, { uid: '1' });
      await client.putSymlink('nowhere', 'missing');
      await fails(() => client.get('nowhere'), 'SymlinkTargetNotExist', 404);
      await client.putSymlink('second', 'link');
      await fails(() => client.get('second'), 'InvalidTargetType', 400);
      const { objects } = await client.list({ prefix: 'link' });
      assert.equal(objects[0].type, 'Symlink');
    });

    test('classes of bucket and object, and restore', async () => {
      assert.equal((await client.getBucketInfo(bucket)).bucket.StorageClass, 'IA');
      await client.put('default', Buffer.from('x'));
      assert.equal((await client.head('default')).res.headers['x-oss-storage-class'], 'IA');
      await client.put('cold', Buffer.from('cold'), { headers: { 'x-oss-storage-class': 'ColdArchive' } });
      await fails(() => client.get('cold'), 'InvalidObjectState', 403);
      assert.equal((await client.restore('cold', { type: 'ColdArchive', Days: 2, JobParameters: 'Standard' })).res.status, 202);
      assert.match((await client.head('cold')).res.headers['x-oss-restore'], /^ongoing-request="false", expiry-date="/);
      assert.equal((await client.get('cold')).content.toString(), 'cold');
      // The library takes nothing but 202; what is restored already is answered with 200, as documented.
      await assert.rejects(() => client.restore('cold'), error => error.status === 200);
      const [listed] = (await client.listV2({ prefix: 'cold' })).objects;
      assert.equal(listed.storageClass, 'ColdArchive');
      assert.equal(listed.restoreInfo.ongoingRequest, false);
      assert.ok(listed.restoreInfo.expiryDate > new Date());
      await fails(() => client.restore('default'), 'OperationNotSupported', 400);
      const { stat } = await client.getBucketStat(bucket);
      assert.equal(stat.ColdArchiveStorage, '4');
      assert.equal(stat.ColdArchiveObjectCount, '1');
    });
  });
}
