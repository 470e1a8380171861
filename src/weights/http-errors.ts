import { TabmindError } from '../errors';

const CHECK = 'Check the address of the model, and that the folder is served completely.';

export function notFound(url: string): TabmindError {
  return new TabmindError('not-found', `${url} does not exist.`, {
    meaning: 'The checkpoint lies somewhere else, or a file of it is missing.',
    remedy: CHECK,
    details: { url },
  });
}

/** Servers of single-page apps answer every unknown path with index.html and status 200. */
export function htmlInstead(url: string): TabmindError {
  return new TabmindError('not-found', `${url}: the server answered with a web page instead of the file.`, {
    meaning: 'The file is most likely not there; some servers send their start page for everything unknown.',
    remedy: CHECK,
    details: { url },
  });
}

export function refused(url: string, status: number): TabmindError {
  const locked = status === 401 || status === 403;
  return new TabmindError('network', `${url}: the server answered with status ${status}.`, {
    meaning: locked
      ? 'The model needs a permission that this page does not have.'
      : 'The file could not be read.',
    remedy: locked
      ? 'Choose a model that is open to everyone, or serve the folder yourself.'
      : 'Try again later.',
    details: { url, status },
  });
}

/** Hubs answer so for repositories whose terms must be accepted, and for private ones. */
export function gated(repository: string, pageUrl: string, status: number, hadToken: boolean): TabmindError {
  return new TabmindError(
    'network',
    `${repository} is gated or private: the hub answered with status ${status}.`,
    {
      meaning: hadToken
        ? 'The access token that was given does not open this model.'
        : 'Its owner asks everyone to log in, and perhaps to accept terms, before downloading.',
      remedy: hadToken
        ? `Open ${pageUrl}, accept the terms with the account of the token, and check that the token may read it.`
        : `Open ${pageUrl}, log in and accept the terms, then load it again with an access token of your account.`,
      details: { repository, url: pageUrl, status },
    },
  );
}

export function noRepository(repository: string, pageUrl: string): TabmindError {
  return new TabmindError('not-found', `${pageUrl} does not exist, or is private.`, {
    meaning: `The hub knows no public repository ${repository}.`,
    remedy: 'Check the name. For a private repository, give an access token.',
    details: { repository, url: pageUrl },
  });
}

export function noRevision(repository: string, revision: string): TabmindError {
  return new TabmindError('not-found', `${repository} has no revision "${revision}".`, {
    meaning: 'There is no branch, tag or commit of this name.',
    remedy: 'Check the part behind the @, or leave it out.',
    details: { repository, revision },
  });
}

export function fileChanged(url: string): TabmindError {
  return new TabmindError('network', `${url}: the file changed while it was being read.`, {
    meaning: 'Parts of two versions would be mixed; what was read so far is not used.',
    remedy: 'Load the model again.',
    details: { url },
  });
}

export function askedToWait(url: string, status: number, waitMs: number): TabmindError {
  const seconds = Math.ceil(waitMs / 1000);
  return new TabmindError(
    'network',
    `${url}: the server answered with status ${status} and asks to come back in ${seconds} s.`,
    {
      meaning: 'The server limits how much may be asked of it. What was downloaded so far is kept.',
      remedy: 'Load the model again after that time; it goes on where it stopped.',
      details: { url, status, seconds },
    },
  );
}

export function unreachable(url: string, numTries: number, cause: unknown): TabmindError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TabmindError('network', `${url} could not be read after ${numTries} tries: ${reason}`, {
    meaning: 'The network or the server failed. What was downloaded so far is kept where the cache is on.',
    remedy: 'Check the connection and load the model again.',
    details: { url },
    cause,
  });
}

export function noRanges(url: string, maxBytes: number): TabmindError {
  const mib = Math.floor(maxBytes / 2 ** 20);
  return new TabmindError(
    'network',
    `${url}: the server ignores range requests, and the file is above ${mib} MiB.`,
    {
      meaning: 'Weights are read piece by piece, so that they need not fit into memory at once.',
      remedy: 'Serve the folder with a server that answers Range requests (most do).',
      details: { url },
    },
  );
}

export function unknownSize(url: string): TabmindError {
  return new TabmindError('network', `${url}: the server does not tell the size of the file.`, {
    meaning: 'Neither Content-Range nor Content-Length can be read.',
    remedy: 'Serve the file uncompressed, with Content-Length; across origins, expose Content-Range.',
    details: { url },
  });
}

export function shorterThanSaid(url: string, start: number, end: number): TabmindError {
  return new TabmindError(
    'bad-checkpoint',
    `${url} ends before the bytes ${start} to ${end} that belong to it.`,
    {
      meaning: 'The file was cut off, or replaced while it was being read.',
      remedy: 'Download the checkpoint again, completely.',
      details: { url },
    },
  );
}
