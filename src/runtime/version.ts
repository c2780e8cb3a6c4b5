import manifest from '../../package.json' with { type: 'json' };

/** The version of headcut that this code is. */
export const VERSION: string = manifest.version;
