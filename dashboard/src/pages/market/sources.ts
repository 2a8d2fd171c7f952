// What is played, or was lately.

import type { SourceState } from "../../lib/payloads";
import { Quotes, watchQuotes } from "../../lib/store/quotes";

/** No symbol is empty, so that a watch of this has sources and no instrument. */
const NO_SYMBOL = "\u0000";

/** Says what sources there are, and again whenever one begins, goes on or ends, until what is returned is called. */
export function watchSources(changed: (sources: readonly SourceState[]) => void): () => void {
  class Sources extends Quotes {
    override takeSources(sources: readonly SourceState[]): void {
      super.takeSources(sources);
      changed([...this.sources.values()]);
    }
  }
  return watchQuotes({ symbols: [NO_SYMBOL], perSecond: 1 }, new Sources());
}
