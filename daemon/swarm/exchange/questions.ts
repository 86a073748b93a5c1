// Questions between neighbours that are answered once, beside the topics: manifests and delta sets. Chunks are the scheduler's.

import type { ExchangeMessage, NetworkMessage } from '../../../proto/exchange.ts';
import type { ScheduledMessage } from '../../core/schedule/state/swarm-events.ts';
import { createDeltaExchange, type DeltaExchange, type DeltaExchangeDeps } from './deltas.ts';
import { createManifestExchange, type ManifestExchange, type ManifestExchangeDeps } from './manifests.ts';
import type { Neighbour } from '../network.ts';
import type { DeltaSource, ManifestSource } from '../swarm.ts';

/** Both exchanges, and who gets which message. */
export interface Questions {
  readonly manifests: ManifestExchange;
  readonly deltas: DeltaExchange;
  /** The message itself when it is not a question's; it is then the scheduler's. */
  take(neighbour: Neighbour, message: ExchangeMessage): ScheduledMessage | undefined;
  onGone(member: string): void;
}

export interface QuestionsDeps extends Omit<DeltaExchangeDeps & ManifestExchangeDeps, 'source'> {
  readonly sources: { readonly manifests: ManifestSource; readonly deltas?: DeltaSource };
}

export function createQuestions(deps: QuestionsDeps): Questions {
  const manifests = createManifestExchange({ ...deps, source: deps.sources.manifests });
  const deltas = createDeltaExchange({ ...deps, source: deps.sources.deltas });
  return {
    manifests,
    deltas,
    take(neighbour, message) {
      if (message.kind === 'want-manifest') manifests.onWant(neighbour, message);
      else if (message.kind === 'manifest') manifests.onManifest(neighbour, message);
      else if (message.kind === 'want-delta') deltas.onWant(neighbour, message);
      else if (message.kind === 'delta') deltas.onDelta(neighbour, message);
      else if (!isNetworks(message) && message.kind !== 'data') return message;
      return undefined;
    },
    onGone(member) {
      manifests.onGone(member);
      deltas.onGone(member);
    },
  };
}

function isNetworks(message: ExchangeMessage): message is NetworkMessage {
  return message.kind === 'bulk' || message.kind === 'mark' || message.kind === 'taken';
}
