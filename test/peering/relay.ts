import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP way to a port that can go silent, as a cut link or a frozen machine does: connections stay, nothing moves. */
export interface Relay {
  port: number;
  freeze(): void;
  thaw(): void;
  close(): void;
}

export async function createRelay(targetPort: () => number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let frozen = false;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = createServer((incoming) => {
    const outgoing = connect({ host: '127.0.0.1', port: targetPort() });
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      keep(from);
      // By hand and not by pipe, which would resume what was paused.
      from.on('data', (bytes) => to.write(bytes)).on('close', () => to.destroy());
      if (frozen) from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    freeze: () => {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw: () => {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
