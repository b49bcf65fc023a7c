// Looks at several channels every 30 seconds and reports which are live and with what.
//   node examples/monitor.mjs CHANNEL...          (MONITOR_SECONDS, MONITOR_ROUNDS: another pace, an end)
import { setTimeout } from 'node:timers/promises';

import { connect } from './connect.mjs';

const client = connect();
const ids = process.argv.slice(2);
const seconds = Number(process.env.MONITOR_SECONDS ?? 30);
const rounds = Number(process.env.MONITOR_ROUNDS ?? Infinity);

for (let round = 1; round <= rounds; round++) {
  await Promise.all(ids.map(report));
  if (round < rounds) await setTimeout(seconds * 1000);
}

async function report(id) {
  const { status, remoteAddr, video } = await client.getChannelStatus(id);
  if (status === 'Live' && video) {
    console.log(`${id}: Live ${video.width}x${video.height} ${video.frameRate} fps from ${remoteAddr}`);
  } else {
    console.log(`${id}: ${status}`);
  }
}
