import { main } from './cli-main.ts';

/** `headcut` as one file that needs nothing beside it: the form in which it is handed out (scripts/package). */
main().then((code) => {
  process.exitCode = code;
});
