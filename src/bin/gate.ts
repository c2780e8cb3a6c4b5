import { Resolver } from 'node:dns/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HostsChange, toHomeHosts } from '../core/shadow-pod/hosts-file.ts';
import { ADDRESS_FILE, OWN_ADDRESS_NAME, toAddressFile } from '../core/shadow-pod/own-address.ts';

/**
 * `gate.mjs [--hosts CHANGE] [--address NAMESERVER] [NAMESERVER NAME]`: writes the pod's own hosts file and address, and ends once the name exists, which the agent decides
 * (core/shadow-pod/start-gate.ts).
 */
/** Of half a second to one and a half. */
const ADDRESS_TRIES = 60;

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

/** The address by which others know this pod; that of its interface where others do not, or nobody says for long. */
async function ownAddress(nameserver: string): Promise<string> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([nameserver]);
  for (let tries = 0; tries < ADDRESS_TRIES; tries += 1) {
    try {
      const [address] = await resolver.resolve4(OWN_ADDRESS_NAME);
      if (address !== undefined) return address;
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOTFOUND') break;
    }
    await sleep(500);
  }
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
      await sleep(500);
    }
  }
}
