// Sums the hours of the last week's broadcasts and counts the addresses that they came from.
//   node examples/history.mjs CHANNEL
import { connect } from './connect.mjs';

const client = connect();
const [id] = process.argv.slice(2);
const weekAgo = Date.now() - 7 * 24 * 3600 * 1000;

const { records } = await client.getChannelHistory(id);
const recent = records.filter(record => record.startTime.getTime() >= weekAgo);
const hours = recent.reduce((sum, record) => sum + (record.endTime - record.startTime) / 3_600_000, 0);
const addresses = new Set(recent.map(record => record.remoteAddr.replace(/:\d+$/, '')));

console.log(`${recent.length} broadcasts, ${hours.toFixed(4)} hours, ${addresses.size} addresses`);
