import { stringify } from 'yaml';

/**
 * YAML that Kubernetes' programs read as it is meant: they know YAML 1.1, in which a plain `n`, `y` or `on` is no text. `n` is the name of
 * the fourteenth cluster of a lab.
 */
export function kubeYaml(value: unknown): string {
  return stringify(value, { compat: 'yaml-1.1' });
}
