import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Most of the time to start is compiling. What is compiled is kept for the next start, which only works for what is loaded
// from here on; and in a folder of the user alone, since what lies there is run with the rights of a kubeconfig.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'headcut', 'compiled'));
const { main } = await import('./cli-main.ts');
process.exitCode = await main();
