import { NFT_TABLE, type NodeNetwork } from '../../core/network/node-network.ts';
import { planNft, planNftRemoval } from '../../core/network/plan-nft.ts';
import { execute, runCommand } from '../../runtime/command.ts';

/** Our nftables tables. nft shows rules in other words than they are written in, so what it showed after the last writing is the norm. */
export class PacketRules {
  #written: string | undefined;
  #shown: string | undefined;

  /** Replaces the tables in one transaction, unless they are as wanted. True when it wrote. */
  async apply(network: NodeNetwork): Promise<boolean> {
    const wanted = planNft(network);
    if (wanted === this.#written && this.#shown === (await readTables())) return false;
    await execute(['nft', '-f', '-'], { input: wanted });
    this.#written = wanted;
    this.#shown = await readTables();
    return true;
  }

  async remove(): Promise<void> {
    this.#written = undefined;
    if ((await readTables()) !== '') await execute(['nft', '-f', '-'], { input: planNftRemoval() });
  }
}

async function readTables(): Promise<string> {
  const tables = await Promise.all(
    ['ip', 'ip6'].map((family) => runCommand(['nft', 'list', 'table', family, NFT_TABLE])),
  );
  return tables.map(({ exitCode, stdout }) => (exitCode === 0 ? stdout : '')).join('');
}
