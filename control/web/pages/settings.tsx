// What concerns the control plane as a whole: which it is, who may use it, and who is told of what happens.

import type { JSX } from 'preact';
import { Loading, Mark, Row, Since, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { Notices } from '../settings/notices.tsx';
import { Tokens } from '../settings/tokens.tsx';

export function SettingsPage(): JSX.Element {
  const { reply, problem } = useQuery('getStatus', { params: {} }, { pace: 'slow' });
  useTitle('Settings');
  return (
    <>
      <h1>Settings</h1>
      <Trouble problem={problem} />
      {reply === undefined && problem === undefined && <Loading what="the control plane" />}
      {reply !== undefined && (
        <dl>
          <Row name="organization">{reply.org}</Row>
          <Row name="address">{reply.publicUrl}</Row>
          <Row name="version">{reply.version}, running since <Since at={reply.startedAt} /></Row>
          <Row name="journal">{reply.asOf} entries</Row>
          <Row name="trust root"><code class="long">{reply.rootDigest}</code> {reply.developmentKeys && <Mark tone="waiting" text="development keys" />}</Row>
          {reply.developmentKeys && <Row name="">The keys were made at the first start and lie on the control plane's own disk: whoever has that disk can sign.</Row>}
        </dl>
      )}
      <Tokens />
      <Notices />
    </>
  );
}
