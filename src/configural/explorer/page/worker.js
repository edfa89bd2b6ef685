// Beside the page: one network that responds to images.

import { makeNetwork } from './network.js';

/** @type {Promise<(image: Uint8ClampedArray) => import('./network.js').Response>} */
let network;

self.onmessage = async ({ data }) => {
  if (data.network) {
    network = makeNetwork(data.network, data.imageSize, data.plain);
    network.then(
      () => self.postMessage({ ready: true }),
      (/** @type {Error} */ error) => self.postMessage({ error: String(error) }),
    );
    return;
  }
  const respond = await network;
  self.postMessage({ id: data.id, responses: data.images.map(respond) });
};
