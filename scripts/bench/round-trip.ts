/**
 * Round trips of one byte over a TCP connection: `round-trip.ts serve PORT` answers each byte with one,
 * `round-trip.ts ask HOST PORT` prints the median in microseconds.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const ROUNDS = 3_000;
/** The first ones find the way. */
const WARM_UP_ROUNDS = 300;

const [role, ...rest] = process.argv.slice(2);

async function ask(host: string, port: number): Promise<void> {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, 'connect');
  const times: number[] = [];
  for (let round = 0; round < ROUNDS + WARM_UP_ROUNDS; round += 1) {
    const start = performance.now();
    socket.write('x');
    await once(socket, 'data');
    if (round >= WARM_UP_ROUNDS) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  console.log(((times[Math.floor(times.length / 2)] ?? Number.NaN) * 1000).toFixed(0));
  process.exit(0);
}

if (role === 'serve') {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.write('x'));
  });
  server.listen(Number(rest[0]), '0.0.0.0');
} else await ask(rest[0] ?? '', Number(rest[1]));
