import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CodedError } from '../core/coded-error.ts';
import type { PodNetwork } from './pod-network.ts';

/** What must be remembered between runs, written before anything else of a lab exists. */
export interface LabState extends Partial<PodNetwork> {
  name: string;
  provider: string;
  subnet: string;
  clusterCount: number;
  /** Names of the clusters behind a router; absent in labs that were made without any. */
  nat?: string[];
}

const FILE = 'lab.json';

/** The state of the lab in `folder`; undefined when there is none. */
export function readLabState(folder: string): LabState | undefined {
  const path = join(folder, FILE);
  if (!existsSync(path)) return undefined;
  return parseLabState(JSON.parse(readFileSync(path, 'utf8')), path);
}

export function writeLabState(folder: string, state: LabState): void {
  writeFileAtomically(join(folder, FILE), `${JSON.stringify(state, null, 2)}\n`);
}

/** Whole or not at all, so that a killed run leaves no half file. */
export function writeFileAtomically(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, text, { mode });
  renameSync(`${path}.new`, path);
}

function parseLabState(value: unknown, path: string): LabState {
  const state = value as Partial<LabState> | null;
  if (
    typeof state?.name !== 'string' ||
    typeof state.provider !== 'string' ||
    typeof state.subnet !== 'string' ||
    typeof state.clusterCount !== 'number'
  )
    throw new CodedError('InvalidArgument', `${path} is damaged; end the lab with "scripts/lab down"`);
  return state as LabState;
}
