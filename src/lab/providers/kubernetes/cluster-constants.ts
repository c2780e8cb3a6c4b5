/** What k0s has by default, and therefore the same in every cluster of every lab. */

export const POD_CIDR = '10.244.0.0/16';
/** What allocate-node-cidrs gives to the first, and only real, node. */
export const NODE_POD_CIDR = '10.244.0.0/24';
export const SERVICE_CIDR = '10.96.0.0/12';
/** The API server's own Service, `kubernetes.default`. */
export const KUBERNETES_SERVICE_IP = '10.96.0.1';
export const DNS_SERVICE_IP = '10.96.0.10';
export const CLUSTER_DOMAIN = 'cluster.local';
/** Of Services that members share, by the standard. */
export const CLUSTERSET_DOMAIN = 'clusterset.local';
export const API_PORT = 6443;
/** CoreDNS is a process on the node, so it listens beside whatever else wants port 53 there. */
export const DNS_PORT = 10053;
export const DNS_METRICS_PORT = 9153;
/** metrics-server is a process on the node too; 10250 there is the kubelet's. */
export const METRICS_SERVER_PORT = 10350;
export const SERVICE_ACCOUNT_ISSUER = 'https://kubernetes.default.svc';
/** The sandbox image, as scripts/build-image names it; nothing is ever pulled. */
export const SANDBOX_IMAGE = 'headcut.dev/pause:0.1.0';
