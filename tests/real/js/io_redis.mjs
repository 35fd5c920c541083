// ioredis against a Cleat node: prints one JSON object of what it saw. Usage: node io_redis.mjs HOST PORT PROTOCOL
import { createRequire } from "node:module";
import { once } from "node:events";

const require = createRequire(process.env.CLEAT_NODE_MODULES + "/here.js");
const { Redis } = require("ioredis");
const [host, port, protocol] = process.argv.slice(2);
const seen = {};

function connected(more = {}) {
  const client = new Redis({ host, port: Number(port), protocol: Number(protocol), retryStrategy: () => null, ...more });
  client.on("error", (error) => { seen.clientError = String(error); });
  return client;
}

const one = connected();
const other = connected();

// ioredis reads INFO before it is ready: "ready" says that it was content with it.
await Promise.all([once(one, "ready"), once(other, "ready")]);
seen.fence = await one.call("LOCK", "orders", "WAIT", 0);
seen.refused = await other.call("TRYLOCK", "orders");
const waiting = other.call("LOCK", "orders", "WAIT", 10000);
seen.unlocked = await one.call("UNLOCK", "orders");
seen.laterFence = await waiting;
seen.error = await one.call("UNLOCK", "nothing").catch((error) => String(error.message));

const pipeline = one.pipeline();
for (let n = 0; n < 100; n++) pipeline.call("LOCK", `p/${n}`, "WAIT", 0);
seen.pipeline = (await pipeline.exec()).map(([error, fence]) => (error ? String(error) : fence));

const automatic = connected({ enableAutoPipelining: true });
seen.automatic = await Promise.all(Array.from({ length: 50 }, (_, n) => automatic.call("LOCK", `auto/${n}`, "WAIT", 0)));

// Several clients share the work; TOKEN says whose hold it is, whichever of them carries the command.
const clients = Array.from({ length: 4 }, () => connected());
const turns = [];
let next = 0;
await Promise.all(Array.from({ length: 5 }, async (_, n) => {
  for (let i = 0; i < 10; i++) {
    const token = `task-${n}`;
    // A blocked connection holds back what follows on it, so the waiter asks with WAIT 0 and comes again.
    let fence = null;
    while (fence === null) {
      fence = await clients[next++ % 4].call("LOCK", "pool", "TOKEN", token, "TTL", 20000);
    }
    turns.push(fence);
    await clients[next++ % 4].call("UNLOCK", "pool", "TOKEN", token);
  }
}));
seen.turns = turns;

const watcher = connected();
await watcher.subscribe("cleat:watched");
const arrived = once(watcher, "message");
const watchedFence = await one.call("LOCK", "watched");
const [channel, message] = await arrived;
seen.event = { channel, watchedFence, ...JSON.parse(message) };
await watcher.unsubscribe("cleat:watched");

if (protocol === "3") {
  const held = await other.call("LOCK", "busy");
  seen.queued = await one.call("LOCK", "busy", "REQ", "r1", "ASYNC");
  await other.call("UNLOCK", "busy", "FENCE", held);
  const echoes = [];
  for (let n = 0; n < 50; n++) echoes.push(await one.call("ECHO", `e${n}`));
  seen.echoesInOrder = echoes.every((echo, n) => echo === `e${n}`);
  seen.granted = await one.call("UNLOCK", "busy");
}
seen.ping = await one.ping();
for (const client of [one, other, automatic, watcher, ...clients]) client.disconnect();
console.log(JSON.stringify(seen));
