/** Longest ClientHello that we look at; real ones have a few hundred bytes, with post-quantum key shares about two thousand. */
export const MAX_CLIENT_HELLO = 16 * 1024;

/**
 * The server name that a TLS client asks for (RFC 8446 §4.1.2, RFC 6066 §3), read from the first bytes of its connection.
 * @returns `incomplete` while more bytes are needed, undefined when there is no (readable) name
 */
export function parseServerName(bytes: Buffer): string | 'incomplete' | undefined {
  if (bytes.length < 5) return 'incomplete';
  if (bytes[0] !== 22) return undefined;
  const recordLength = bytes.readUInt16BE(3);
  if (recordLength > MAX_CLIENT_HELLO) return undefined;
  if (bytes.length < 5 + recordLength) return 'incomplete';
  try {
    return serverNameOf(bytes.subarray(5, 5 + recordLength));
  } catch {
    // Lengths that point outside the message: not a ClientHello that we understand.
    return undefined;
  }
}

function serverNameOf(hello: Buffer): string | undefined {
  if (hello[0] !== 1) return undefined;
  let at = 4 + 2 + 32;
  at += 1 + hello.readUInt8(at); // session ID
  at += 2 + hello.readUInt16BE(at); // cipher suites
  at += 1 + hello.readUInt8(at); // compression methods
  const end = at + 2 + hello.readUInt16BE(at);
  at += 2;
  while (at + 4 <= end) {
    const type = hello.readUInt16BE(at);
    const length = hello.readUInt16BE(at + 2);
    if (type === 0) {
      const nameLength = hello.readUInt16BE(at + 7);
      return hello.subarray(at + 9, at + 9 + nameLength).toString('latin1');
    }
    at += 4 + length;
  }
  return undefined;
}
