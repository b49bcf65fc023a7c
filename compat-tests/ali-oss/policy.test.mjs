// Bucket policies and temporary credentials through ali-oss, over every way of addressing and both signatures.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connect, env, fails, send, ways } from './clients.mjs';

const temporary = {
  accessKeyId: process.env.LIVEBUCKET_STS_ACCESS_KEY,
  accessKeySecret: process.env.LIVEBUCKET_STS_SECRET_KEY,
  stsToken: process.env.LIVEBUCKET_STS_TOKEN,
  // Without it the library warns that the token will not be renewed.
  refreshSTSToken: async () => temporary,
  refreshSTSTokenInterval: 3_600_000
};

for (const way of ways) {
  describe(way.title, () => {
    let owner;
    const bucket = `policy-${way.bucket}`;

    before(async () => {
      owner = connect(way);
      await owner.putBucket(bucket);
      owner.useBucket(bucket);
      await owner.put('k', Buffer.from('text'));
    });

    after(async () => {
      await owner.deleteMulti(['k', 'mine'], { quiet: true });
      await owner.deleteBucket(bucket);
    });

    test('putBucketPolicy, getBucketPolicy, deleteBucketPolicy', async () => {
      const policy = {
        Version: '1',
        Statement: [{ Effect: 'Deny', Principal: ['*'], Action: ['oss:GetObject'], Resource: [`acs:oss:*:*:${bucket}/*`] }]
      };
      // What it makes of 404 `NoSuchBucketPolicy`.
      assert.equal((await owner.getBucketPolicy(bucket)).policy, null);
      await owner.putBucketPolicy(bucket, policy);
      assert.deepEqual((await owner.getBucketPolicy(bucket)).policy, policy);
      await fails(() => owner.get('k'), 'AccessDenied', 403);
      await fails(
        () => owner.putBucketPolicy(bucket, { ...policy, Version: '7' }),
        'InvalidPolicyDocument',
        400
      );
      assert.equal((await owner.deleteBucketPolicy(bucket)).status, 204);
      assert.equal((await owner.get('k')).content.toString(), 'text');
    });

    test('a temporary credential in headers and URLs', async () => {
      const client = connect(way, { ...temporary, bucket });
      await client.put('mine', Buffer.from('mine'));
      assert.equal((await client.get('mine')).content.toString(), 'mine');
      // At an address the library signs no URL of V1, and of V4 one without a bucket unless it is told of path style.
      if (!way.addressing.startsWith('IP') || (way.v4 && way.addressing !== 'IP')) {
        const url = way.v4
          ? await client.signatureUrlV4('GET', 60, {}, 'mine')
          : client.signatureUrl('mine', { expires: 60 });
        assert.equal((await send(url)).body, 'mine');
        assert.equal((await send(url.replace(temporary.stsToken, 'another'))).status, 403);
      }
      const wrong = connect(way, { ...temporary, stsToken: 'another', refreshSTSToken: undefined, bucket });
      await fails(() => wrong.get('mine'), 'InvalidSecurityToken', 403);
    });
  });
}

assert.ok(env.ip && temporary.stsToken, 'the suite gives both');
