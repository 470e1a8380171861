import type { ModelSource } from './source';

/** A source that can say which version of the checkpoint it would give. */
export interface VersionedSource extends ModelSource {
  /**
   * Another string for another checkpoint: a commit, or a hash of ETags or file dates. null where nothing tells versions
   * apart. Throws `network` when the source cannot be reached, soon enough for a start from the cache.
   */
  version(signal?: AbortSignal): Promise<string | null>;
}
