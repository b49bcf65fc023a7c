// Versions through ali-oss: enable, read, list, delete and bring back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connect, fails, ways } from './clients.mjs';

for (const way of ways) {
  describe(way.title, () => {
    let client;
    const bucket = `kept-${way.bucket}`;

    before(async () => {
      client = connect(way);
      await client.putBucket(bucket);
      client.useBucket(bucket);
      assert.equal((await client.getBucketVersioning(bucket)).versionStatus, undefined);
      await client.putBucketVersioning(bucket, 'Enabled');
      assert.equal((await client.getBucketVersioning(bucket)).versionStatus, 'Enabled');
    });

    after(async () => {
      const { objects = [], deleteMarker = [] } = await client.listObjectVersions({ 'max-keys': 1000 });
      const all = [...(objects ?? []), ...(deleteMarker ?? [])].map(one => ({ key: one.name, versionId: one.versionId }));
      if (all.length > 0) assert.equal((await client.deleteMulti(all)).deleted.length, all.length);
      await client.deleteBucket(bucket);
    });

    const version = result => result.res.headers['x-oss-version-id'];

    test('put, get and head by versionId', async () => {
      const first = version(await client.put('read', Buffer.from('first')));
      const second = version(await client.put('read', Buffer.from('second')));
      assert.ok(first && second && first !== second);
      assert.equal((await client.get('read')).content.toString(), 'second');
      const old = await client.get('read', { versionId: first });
      assert.equal(old.content.toString(), 'first');
      assert.equal(version(old), first);
      assert.equal((await client.head('read', { versionId: first })).res.headers['content-length'], '5');
      await fails(() => client.get('read', { versionId: '0'.repeat(32) }), 'NoSuchVersion', 404);
      await fails(() => client.get('read', { versionId: 'nonsense' }), 'InvalidArgument', 400);
    });

    test('a delete is undone', async () => {
      await client.put('undo/ä + 1', Buffer.from('kept'));
      const deleted = await client.delete('undo/ä + 1');
      assert.equal(deleted.res.headers['x-oss-delete-marker'], 'true');
      await fails(() => client.get('undo/ä + 1'), 'NoSuchKey', 404);
      await fails(() => client.get('undo/ä + 1', { versionId: version(deleted) }), 'MethodNotAllowed', 405);
      const undone = await client.delete('undo/ä + 1', { versionId: version(deleted) });
      assert.equal(undone.res.headers['x-oss-delete-marker'], 'true');
      assert.equal((await client.get('undo/ä + 1')).content.toString(), 'kept');
    });

    test('listObjectVersions, in pages', async () => {
      for (const body of ['1', '2', '3']) {
        await client.put('list/a', Buffer.from(body));
        await client.put('list/b', Buffer.from(body));
      }
      await client.delete('list/b');
      const seen = [];
      let query = { prefix: 'list/', 'max-keys': 2 };
      for (;;) {
        const page = await client.listObjectVersions(query);
        for (const one of [...(page.objects ?? []), ...(page.deleteMarker ?? [])]) seen.push(`${one.name} ${one.versionId}`);
        if (!page.isTruncated) break;
        query = { ...query, keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker };
      }
      assert.equal(seen.length, 7);
      assert.equal(new Set(seen).size, 7);
      const { objects } = await client.list({ prefix: 'list/' });
      assert.deepEqual(objects.map(one => one.name), ['list/a']);
    });

    test('ACL, tags and copies of a version', async () => {
      const first = version(await client.put('of', Buffer.from('first')));
      await client.put('of', Buffer.from('second'));
      await client.putACL('of', 'public-read', { versionId: first });
      assert.equal((await client.getACL('of', { versionId: first })).acl, 'public-read');
      assert.equal((await client.getACL('of')).acl, 'default');
      await client.putObjectTagging('of', { k: 'v' }, { versionId: first });
      assert.deepEqual((await client.getObjectTagging('of', { versionId: first })).tag, { k: 'v' });
      assert.deepEqual((await client.getObjectTagging('of')).tag, {});
      await client.deleteObjectTagging('of', { versionId: first });
      await client.copy('of-copy', 'of', { versionId: first });
      assert.equal((await client.get('of-copy')).content.toString(), 'first');
    });

    test('deleteMulti by version', async () => {
      const first = version(await client.put('many', Buffer.from('1')));
      const second = version(await client.put('many', Buffer.from('2')));
      const { deleted } = await client.deleteMulti([{ key: 'many', versionId: first }]);
      assert.deepEqual(deleted.map(one => [one.Key, one.VersionId]), [['many', first]]);
      const { objects } = await client.listObjectVersions({ prefix: 'many' });
      assert.deepEqual(objects.map(one => one.versionId), [second]);
    });

    test('a suspended bucket replaces the null version alone', async () => {
      const first = version(await client.put('still', Buffer.from('first')));
      await client.putBucketVersioning(bucket, 'Suspended');
      try {
        assert.equal(version(await client.put('still', Buffer.from('second'))), 'null');
        const { objects } = await client.listObjectVersions({ prefix: 'still' });
        assert.deepEqual(objects.map(one => one.versionId), ['null', first]);
      } finally {
        await client.putBucketVersioning(bucket, 'Enabled');
      }
    });
  });
}
