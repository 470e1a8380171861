import type { ModelRef } from '../model-ref';
import { createFolderSource } from './folder-source';
import { type Repository, repositoryAt, repositoryOf } from './hosts';
import { createHttpSource, type HttpSourceOptions } from './http-source';
import { createHubSource, type HubSourceOptions } from './hub-source';
import { createRandomSource } from './random-source';
import type { VersionedSource } from './versioned-source';

/** A model reference, ready to be read, with the name and revision that the cache knows it by. */
export interface OpenedModel {
  readonly source: VersionedSource;
  readonly id: string;
  /** Branch, tag or commit as asked for; '' where the reference has none. */
  readonly revision: string;
  /** The reference itself names the version of what it leads to, so the source is not asked. */
  readonly isPinned: boolean;
}

/**
 * Requests nothing. The token goes to hubs only: nobody said that it belongs to a folder URL. Throws `bad-request` when
 * the reference is not well formed.
 */
export function openModel(model: ModelRef, options: HubSourceOptions = {}): OpenedModel {
  switch (model.kind) {
    case 'folder':
      return {
        source: createFolderSource(model),
        id: model.id,
        revision: model.revision ?? '',
        isPinned: false,
      };
    case 'random':
      return { source: createRandomSource(model), id: model.id, revision: '', isPinned: true };
    case 'hub': {
      const repository = repositoryOf(model);
      return openRepository(repository, repository.name, options);
    }
    default: {
      const repository = repositoryAt(model.url);
      if (!repository) return openUrl(model.id, model.url, model.revision ?? '', options);
      const revision = model.revision ?? repository.revision;
      return openRepository({ ...repository, revision }, model.id, options);
    }
  }
}

function openRepository(repository: Repository, id: string, options: HubSourceOptions): OpenedModel {
  return { source: createHubSource(repository, options), id, revision: repository.revision, isPinned: false };
}

function openUrl(id: string, url: string, revision: string, options: HubSourceOptions): OpenedModel {
  const { token: _, ...rest }: HttpSourceOptions & HubSourceOptions = options;
  return { source: createHttpSource(id, url, rest), id, revision, isPinned: revision !== '' };
}
