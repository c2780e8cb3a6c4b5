import { Resolver } from 'node:dns/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HostsChange, toHomeHosts } from '../core/shadow-pod/hosts-file.ts';
import { ADDRESS_FILE, OWN_ADDRESS_NAME, toAddressFile } from '../core/shadow-pod/own-address.ts';
import { askAddress } from '../runtime/ask-address.ts';

/**
 * `gate.mjs [--hosts CHANGE] [--address NAMESERVER] [NAMESERVER NAME]`: writes the pod's own hosts file and address, for which it waits, and
 * ends once the name exists, which the agent decides (core/shadow-pod/start-gate.ts).
 */

const ASK_EVERY_MS = 500;

const args = process.argv.slice(2);
if (args[0] === '--hosts') {
  const [, change = ''] = args.splice(0, 2);
  const wanted = JSON.parse(change) as HostsChange;
  writeFileSync(wanted.path, toHomeHosts(readFileSync('/etc/hosts', 'utf8'), wanted), { mode: 0o644 });
}
if (args[0] === '--address') {
  const [, nameserver = ''] = args.splice(0, 2);
  writeFileSync(ADDRESS_FILE, toAddressFile(await ownAddress(nameserver)), { mode: 0o644 });
}
const [nameserver, name = ''] = args;
if (nameserver !== undefined) await consent(nameserver);

/** The address by which others know this pod; that of its interface where the agent says that others know it by none. */
async function ownAddress(nameserver: string): Promise<string> {
  const onWait = (problem: string): void =>
    console.log(`waiting until the agent tells the address of this pod: its nameserver ${nameserver} says ${problem}`);
  const address = await askAddress(nameserver, OWN_ADDRESS_NAME, { everyMs: ASK_EVERY_MS, onWait });
  if (address !== undefined) return address;
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return own.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '';
}

async function consent(nameserver: string): Promise<void> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([nameserver]);
  for (let told = false; ; told = true) {
    try {
      await resolver.resolve4(name);
      return;
    } catch {
      if (!told) console.log('waiting until the cluster that this pod belongs to consents to its start');
      await sleep(ASK_EVERY_MS);
    }
  }
}
