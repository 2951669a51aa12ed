// The npm library `ioredis` against a server on the port of the first argument.
const assert = require('assert');
const Redis = require('ioredis');

async function main() {
  const port = Number(process.argv[2]);
  const redis = new Redis(port), reader = new Redis(port);
  await redis.flushall();
  await redis.set('key', 'value', 'PX', 100000);
  assert.equal(await redis.get('key'), 'value');
  await redis.hset('hash', { a: 1 });
  assert.deepEqual(await redis.hgetall('hash'), { a: '1' });
  const results = await redis.pipeline().incr('n').incr('n').lpush('key', 'x').exec();
  assert.deepEqual(results.slice(0, 2), [[null, 1], [null, 2]]);
  assert.match(results[2][0].message, /^WRONGTYPE/);
  assert.deepEqual(await redis.multi().set('a', 1).get('a').exec(), [[null, 'OK'], [null, '1']]);

  const popped = reader.blpop('list', 5);
  await redis.rpush('list', 'item');
  assert.deepEqual(await popped, ['list', 'item']);

  const got = new Promise((resolve) => reader.on('pmessage', (...args) => resolve(args)));
  await reader.psubscribe('chan*');
  assert.equal(await redis.publish('channel', 'news'), 1);
  assert.deepEqual(await got, ['chan*', 'channel', 'news']);
  reader.disconnect();
  await redis.quit();
  console.log('ok');
}

main().catch((error) => { console.error(error); process.exit(1); });
