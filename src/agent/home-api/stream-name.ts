/** The raw stream between agents that leads to the API server of the one that serves it. */
export const HOME_API_STREAM = 'home-api';
