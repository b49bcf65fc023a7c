// Creates one channel for each name in a loop.
//   node examples/create-many.mjs NAME...
import { connect } from './connect.mjs';

const client = connect();

for (const [index, name] of process.argv.slice(2).entries()) {
  const id = `stage-${index + 1}`;
  const { publishUrls } = await client.putChannel(id, { name, description: `Stage ${index + 1}`, fragDuration: 2, fragCount: 5 });
  console.log(`${id} ${(await client.getChannel(id)).name} ${publishUrls[0]}`);
}
