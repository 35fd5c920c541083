// node-redis against a Cleat node: prints one JSON object of what it saw. Usage: node node_redis.mjs HOST PORT PROTOCOL
import { createRequire } from "node:module";
import { once, EventEmitter } from "node:events";

const require = createRequire(process.env.CLEAT_NODE_MODULES + "/here.js");
const { createClient, createClientPool } = require("redis");
const [host, port, protocol] = process.argv.slice(2);
const options = { socket: { host, port: Number(port), reconnectStrategy: false }, RESP: Number(protocol) };
const seen = {};

async function connected() {
  const client = createClient(options);
  client.on("error", (error) => { seen.clientError = String(error); });
  await client.connect();
  return client;
}

const one = await connected();
const other = await connected();

seen.fence = await one.sendCommand(["LOCK", "orders", "WAIT", "0"]);
seen.refused = await other.sendCommand(["TRYLOCK", "orders"]);
const waiting = other.sendCommand(["LOCK", "orders", "WAIT", "10000"]);
seen.unlocked = await one.sendCommand(["UNLOCK", "orders"]);
seen.laterFence = await waiting;
seen.error = await one.sendCommand(["UNLOCK", "nothing"]).catch((error) => String(error.message));

// Commands of one tick go out as one pipeline.
seen.pipeline = await Promise.all(Array.from({ length: 100 }, (_, n) => one.sendCommand(["LOCK", `p/${n}`, "WAIT", "0"])));

// A pool gives each command any connection: TOKEN says whose hold it is.
const pool = createClientPool(options, { minimum: 1, maximum: 5 });
pool.on("error", (error) => { seen.poolError = String(error); });
await pool.connect();
const turns = [];
await Promise.all(Array.from({ length: 5 }, async (_, n) => {
  for (let i = 0; i < 10; i++) {
    const token = `task-${n}`;
    const fence = await pool.sendCommand(["LOCK", "pool", "TOKEN", token, "TTL", "20000", "WAIT", "20000"]);
    turns.push(fence);
    await pool.sendCommand(["UNLOCK", "pool", "TOKEN", token]);
  }
}));
seen.turns = turns;

// Events of a name by subscription.
const watcher = await connected();
const messages = new EventEmitter();
await watcher.subscribe("cleat:watched", (message, channel) => messages.emit("message", message, channel));
const arrived = once(messages, "message");
const watchedFence = await one.sendCommand(["LOCK", "watched"]);
const [message, channel] = await arrived;
seen.event = { channel, watchedFence, ...JSON.parse(message) };
await watcher.unsubscribe("cleat:watched");

// Pushes that nobody asked the library for: an ASYNC grant between ordinary commands (RESP3 only).
if (protocol === "3") {
  const held = await other.sendCommand(["LOCK", "busy"]);
  seen.queued = await one.sendCommand(["LOCK", "busy", "REQ", "r1", "ASYNC"]);
  await other.sendCommand(["UNLOCK", "busy", "FENCE", String(held)]);
  const echoes = [];
  for (let n = 0; n < 50; n++) echoes.push(await one.sendCommand(["ECHO", `e${n}`]));
  seen.echoesInOrder = echoes.every((echo, n) => echo === `e${n}`);
  seen.granted = await one.sendCommand(["UNLOCK", "busy"]);
}
seen.ping = await one.ping();
await Promise.all([one.close(), other.close(), watcher.close(), pool.close()]);
console.log(JSON.stringify(seen));
