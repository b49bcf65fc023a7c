// Settings of a bucket through ali-oss, and what they do to plain HTTP.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connect, env, fails, send, ways } from './clients.mjs';

for (const way of ways) {
  describe(way.title, () => {
    let client;
    const bucket = `set-${way.bucket}`;
    const plain = key => `${env.ip}/${bucket}/${key}`;

    before(async () => {
      client = connect(way);
      await client.putBucket(bucket, { acl: 'public-read' });
      client.useBucket(bucket);
      for (const [key, body] of [['index.html', 'root'], ['a/index.html', 'folder'], ['404.html', 'none']]) {
        await client.put(key, Buffer.from(body));
      }
    });

    after(async () => {
      await client.deleteMulti(['index.html', 'a/index.html', '404.html'], { quiet: true });
      await client.deleteBucket(bucket);
    });

    test('putBucketWebsite, getBucketWebsite, deleteBucketWebsite', async () => {
      await fails(() => client.getBucketWebsite(bucket), 'NoSuchWebsiteConfiguration', 404);
      const rule = {
        RuleNumber: '1',
        Condition: { KeyPrefixEquals: 'docs/', HttpErrorCodeReturnedEquals: '404' },
        Redirect: { RedirectType: 'External', Protocol: 'https', HostName: 'b.example', ReplaceKeyPrefixWith: 'new/', HttpRedirectCode: '301' }
      };
      const site = { index: 'index.html', error: '404.html', supportSubDir: 'true', type: '0', routingRules: [rule] };
      await client.putBucketWebsite(bucket, site);
      const got = await client.getBucketWebsite(bucket);
      assert.deepEqual([got.index, got.error, got.supportSubDir, got.type], ['index.html', '404.html', 'true', '0']);
      assert.equal(got.routingRules.length, 1);
      assert.deepEqual(got.routingRules[0].Condition, rule.Condition);
      assert.equal(got.routingRules[0].Redirect.HostName, 'b.example');

      for (const [key, status, expected] of [
        ['', 200, 'root'], ['a/', 200, 'folder'], ['nothing', 404, 'none'],
        ['a', 302, `/${bucket}/a/`], ['docs/k', 301, 'https://b.example/new/k']
      ]) {
        const answer = await send(plain(key));
        assert.deepEqual([answer.status, answer.headers.location ?? answer.body], [status, expected], key);
      }
      await client.deleteBucketWebsite(bucket);
      await fails(() => client.getBucketWebsite(bucket), 'NoSuchWebsiteConfiguration', 404);
    });

    test('putBucketReferer, getBucketReferer, deleteBucketReferer', async () => {
      const unset = await client.getBucketReferer(bucket);
      assert.deepEqual([unset.allowEmpty, unset.referers], [true, null]);
      await client.putBucketReferer(bucket, false, ['http://*.example.com', 'http://a.example']);
      const got = await client.getBucketReferer(bucket);
      assert.deepEqual([got.allowEmpty, got.referers], [false, ['http://*.example.com', 'http://a.example']]);
      for (const [referer, status] of [['http://www.example.com/p', 200], ['http://evil.example/', 403], [undefined, 403]]) {
        const headers = referer ? { referer } : {};
        assert.equal((await send(plain('index.html'), { headers })).status, status);
        // The library signs no URL for an address.
        if (way.addressing.startsWith('IP')) continue;
        const signed = client.signatureUrl('index.html', { expires: 60 });
        assert.equal((await send(signed, { headers })).status, status);
      }
      assert.equal((await client.get('index.html')).content.toString(), 'root');
      await client.deleteBucketReferer(bucket);
      assert.equal((await send(plain('index.html'))).status, 200);
    });

    test('putBucketLogging, getBucketLogging, deleteBucketLogging', async () => {
      assert.equal((await client.getBucketLogging(bucket)).enable, false);
      await client.putBucketLogging(bucket, 'logs/');
      const got = await client.getBucketLogging(bucket);
      assert.deepEqual([got.enable, got.prefix], [true, 'logs/']);
      await client.deleteBucketLogging(bucket);
      assert.equal((await client.getBucketLogging(bucket)).enable, false);
    });

    test('putBucketRequestPayment, getBucketRequestPayment', async () => {
      assert.equal((await client.getBucketRequestPayment(bucket)).payer, 'BucketOwner');
      await client.putBucketRequestPayment(bucket, 'Requester');
      assert.equal((await client.getBucketRequestPayment(bucket)).payer, 'Requester');
    });

    test('without a master key encryption is not promised', async () => {
      await fails(() => client.getBucketEncryption(bucket), 'NoSuchServerSideEncryptionRule', 404);
      await fails(() => client.putBucketEncryption(bucket, { SSEAlgorithm: 'AES256' }), 'NotImplemented', 501);
      await client.deleteBucketEncryption(bucket);
    });
  });
}
