import { NFT_TABLE, type NodeNetwork } from '../../core/network/node-network.ts';
import { planNft, planNftRemoval } from '../../core/network/plan-nft.ts';
import { execute, runCommand } from '../../runtime/command.ts';

/** nftables tables of ours. nft shows rules in other words than they are written in, so what it showed after the last writing is the norm. */
export class RuleTables {
  readonly #name: string;
  readonly #families: readonly string[];
  readonly #removal: string;
  #written: string | undefined;
  #shown: string | undefined;

  /** @param removal what removes them, whether they are there or not */
  constructor(name: string, families: readonly string[], removal: string) {
    this.#name = name;
    this.#families = families;
    this.#removal = removal;
  }

  /** Replaces the tables in one transaction, unless they are as wanted. True when it wrote. */
  async apply(wanted: string): Promise<boolean> {
    if (wanted === this.#written && this.#shown === (await this.#read())) return false;
    await execute(['nft', '-f', '-'], { input: wanted });
    this.#written = wanted;
    this.#shown = await this.#read();
    return true;
  }

  async remove(): Promise<void> {
    this.#written = undefined;
    if ((await this.#read()) !== '') await execute(['nft', '-f', '-'], { input: this.#removal });
  }

  async #read(): Promise<string> {
    const tables = await Promise.all(
      this.#families.map((family) => runCommand(['nft', 'list', 'table', family, this.#name])),
    );
    return tables.map(({ exitCode, stdout }) => (exitCode === 0 ? stdout : '')).join('');
  }
}

/** The tables of the pod network. */
export class PacketRules {
  readonly #tables = new RuleTables(NFT_TABLE, ['ip', 'ip6'], planNftRemoval());

  /** True when it wrote. */
  apply(network: NodeNetwork): Promise<boolean> {
    return this.#tables.apply(planNft(network));
  }

  remove(): Promise<void> {
    return this.#tables.remove();
  }
}
