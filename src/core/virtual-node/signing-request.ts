/**
 * The one form that the certificate requests of virtual nodes have (PKCS #10, by runtime/x509): P-256, signed with ECDSA and SHA-256,
 * `O=system:nodes, CN=system:node:NAME`, and for a serving certificate one IP address. It is compared as a whole with what it would
 * have to be, instead of being taken apart: what is not said here cannot be in it, in whatever way another reader may understand it.
 */

const USER_PREFIX = 'system:node:';
const GROUP = 'system:nodes';

const SEQUENCE = 0x30;
const SET = 0x31;
const OID = 0x06;
const PRINTABLE = 0x13;
const OCTETS = 0x04;
/** Of the attributes in a request. */
const ATTRIBUTES = 0xa0;
/** Of an IP address among the names of a certificate. */
const IP_NAME = 0x87;

const ORGANIZATION = Buffer.from('55040a', 'hex');
const COMMON_NAME = Buffer.from('550403', 'hex');
const EXTENSION_REQUEST = Buffer.from('2a864886f70d01090e', 'hex');
const ALTERNATIVE_NAMES = Buffer.from('551d11', 'hex');
const VERSION_0 = Buffer.from('020100', 'hex');
/** Before the 64 bytes of an uncompressed point on P-256. */
const P256_HEADER = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
const POINT_BYTES = 64;
const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');
const LONGEST_CHARS = 2_048;

/**
 * The node that a request (PEM) is for, and nothing but it; undefined where it has another form.
 * @param ip the address that a serving certificate is to have; a request without one is one for a client
 */
export function nodeOfRequest(request: string, ip?: Buffer): string | undefined {
  if (request.length > LONGEST_CHARS) return undefined;
  const der = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const node = nameIn(der);
  if (node === undefined || !isNodeName(node)) return undefined;
  const key = der.indexOf(P256_HEADER);
  const info = der.subarray(key, key + P256_HEADER.length + POINT_BYTES);
  const expected = inForm(node, { key: info, ip, signature: signatureIn(der) });
  return expected.equals(der) && toPem(der) === request.trimEnd() ? node : undefined;
}

/** Of the API server's own form of names: no character that means something to another reader. */
function isNodeName(name: string): boolean {
  return /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name);
}

/** What seems to be the name; it is one where the whole is as it would have to be with it. */
function nameIn(der: Buffer): string | undefined {
  const at = der.indexOf(USER_PREFIX);
  if (at < 1) return undefined;
  return der
    .subarray(at, at + (der[at - 1] ?? 0))
    .toString('latin1')
    .slice(USER_PREFIX.length);
}

function signatureIn(der: Buffer): Buffer {
  const at = der.lastIndexOf(ECDSA_SHA256);
  return at < 0 ? Buffer.alloc(0) : der.subarray(at + ECDSA_SHA256.length);
}

function inForm(node: string, { key, ip, signature }: { key: Buffer; ip: Buffer | undefined; signature: Buffer }) {
  const name = tlv(
    SEQUENCE,
    tlv(SET, tlv(SEQUENCE, tlv(OID, ORGANIZATION), tlv(PRINTABLE, Buffer.from(GROUP)))),
    tlv(SET, tlv(SEQUENCE, tlv(OID, COMMON_NAME), tlv(PRINTABLE, Buffer.from(`${USER_PREFIX}${node}`)))),
  );
  return tlv(SEQUENCE, tlv(SEQUENCE, VERSION_0, name, key, attributes(ip)), ECDSA_SHA256, signature);
}

function attributes(ip: Buffer | undefined): Buffer {
  if (ip === undefined) return tlv(ATTRIBUTES);
  const names = tlv(OCTETS, tlv(SEQUENCE, tlv(IP_NAME, ip)));
  const extensions = tlv(SEQUENCE, tlv(SEQUENCE, tlv(OID, ALTERNATIVE_NAMES), names));
  return tlv(ATTRIBUTES, tlv(SEQUENCE, tlv(OID, EXTENSION_REQUEST), tlv(SET, extensions)));
}

/** Tag, length and contents (X.690, DER). */
function tlv(tag: number, ...contents: Buffer[]): Buffer {
  const value = Buffer.concat(contents);
  const { length } = value;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----`;
}
