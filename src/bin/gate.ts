import { Resolver } from 'node:dns/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HostsChange, toHomeHosts } from '../core/shadow-pod/hosts-file.ts';

/**
 * `gate.mjs [--hosts CHANGE] [NAMESERVER NAME]`: writes the pod's own hosts file, and ends once the name exists, which the agent decides
 * (core/shadow-pod/start-gate.ts).
 */
const args = process.argv.slice(2);
if (args[0] === '--hosts') {
  const [, change = ''] = args.splice(0, 2);
  const wanted = JSON.parse(change) as HostsChange;
  writeFileSync(wanted.path, toHomeHosts(readFileSync('/etc/hosts', 'utf8'), wanted), { mode: 0o644 });
}
const [nameserver, name = ''] = args;
if (nameserver !== undefined) await consent(nameserver);

async function consent(nameserver: string): Promise<void> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([nameserver]);
  for (let told = false; ; told = true) {
    try {
      await resolver.resolve4(name);
      return;
    } catch {
      if (!told) console.log('waiting until the cluster that this pod belongs to consents to its start');
      await sleep(500);
    }
  }
}
