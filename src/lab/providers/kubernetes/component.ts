import { type Flags, toArguments } from './control-plane-flags.ts';

/** One process of a cluster. */
export interface Component {
  name: string;
  /** Program, looked up among the tools, and its arguments. */
  argv: string[];
}

/** A program of the tools, called by its name. */
export function component(name: string, flags: Flags): Component {
  return { name, argv: [name, ...toArguments(flags)] };
}
