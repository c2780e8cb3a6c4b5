import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** `gate.mjs NAMESERVER NAME`: ends once the name exists, which the agent decides (core/shadow-pod/start-gate.ts). */
const [nameserver = '', name = ''] = process.argv.slice(2);
const resolver = new Resolver({ timeout: 1_000, tries: 1 });
resolver.setServers([nameserver]);
for (let told = false; ; told = true) {
  try {
    await resolver.resolve4(name);
    break;
  } catch {
    if (!told) console.log('waiting until the cluster that this pod belongs to consents to its start');
    await sleep(500);
  }
}
