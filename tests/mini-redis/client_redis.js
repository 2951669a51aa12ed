// The npm library `redis` against a server on the port of the first argument.
const assert = require('assert');
const { createClient } = require('redis');

async function main() {
  const url = `redis://127.0.0.1:${process.argv[2]}`;
  for (const RESP of [2, 3]) {
    const client = createClient({ url, RESP });
    await client.connect();
    await client.flushAll();
    await client.set('key', 'value', { EX: 100 });
    assert.equal(await client.get('key'), 'value');
    assert.ok((await client.ttl('key')) > 90);
    await client.hSet('hash', { a: '1', b: '2' });
    assert.deepEqual({ ...(await client.hGetAll('hash')) }, { a: '1', b: '2' });
    await client.zAdd('zset', [{ score: 1, value: 'one' }, { score: 2, value: 'two' }]);
    assert.deepEqual(await client.zRange('zset', 0, -1), ['one', 'two']);
    const [first, second] = await client.multi().incr('n').incr('n').exec();
    assert.deepEqual([first, second], [1, 2]);

    const reader = client.duplicate();
    await reader.connect();
    const popped = reader.blPop('list', 5);
    await client.rPush('list', 'item');
    assert.equal((await popped).element, 'item');

    const got = new Promise((resolve) => {
      reader.subscribe('channel', (message) => resolve(message)).then(() =>
        client.publish('channel', 'news'));
    });
    assert.equal(await got, 'news');
    reader.destroy();
    await client.close();
  }
  console.log('ok');
}

main().catch((error) => { console.error(error); process.exit(1); });
