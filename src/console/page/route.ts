import { signal } from '@preact/signals';

/** Where in the page one is: `#/members/b`. */
export const route = signal<string[]>(partsOf(location.hash));

addEventListener('hashchange', () => {
  route.value = partsOf(location.hash);
});

function partsOf(hash: string): string[] {
  return hash
    .replace(/^#\/?/, '')
    .split('/')
    .filter((part) => part !== '')
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

/** An address in the page. */
export function linkTo(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join('/')}`;
}

export function go(...parts: string[]): void {
  location.hash = linkTo(...parts);
}
