import { TabmindError } from './errors';

/** A part of the worker that lies in a file of its own, since not every visit needs it. Throws `network`. */
export async function lazyPart<Part>(load: () => Promise<Part>): Promise<Part> {
  try {
    return await load();
  } catch (thrown) {
    throw new TabmindError('network', `A part of tabmind could not be fetched: ${String(thrown)}`, {
      meaning: 'The page is not complete in this browser.',
      remedy: 'Check the connection and try again, or reload the page.',
    });
  }
}
