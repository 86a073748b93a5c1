// Tokens: which there are, making one for a person or for machines, and making one worthless. The text of a new one is shown once, and kept by
// nothing here.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { NewToken, Token } from '../../../proto/api/tokens.ts';
import type { Standing } from '../attention.ts';
import { ClientError } from '../client.ts';
import { Deed, nameAgain, type Field, type Filled } from '../parts/deed.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Cli, Loading, Mark, Since, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { commandText, timeText } from '../words.ts';
import { apiTokenOf, joinTokenOf, type Read } from './token-form.ts';

const pageTokens = 25;

export function Tokens(): JSX.Element {
  const { client } = useUi();
  const [made, setMade] = useState<readonly NewToken[]>([]);
  const pages = usePages('tokens');
  const { reply, problem, pending } = useQuery('listTokens', { params: {}, query: { limit: pageTokens, ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) } }, { pace: 'slow', hold: true });
  const create = async (read: Read): Promise<void> => {
    if (read.kind === 'wrong') throw new ClientError('INVALID', read.why);
    const token = await client.call('createToken', { params: {}, body: read.body });
    // Beside one that is shown already: its text is nowhere else.
    setMade((before) => [token, ...before]);
  };
  return (
    <section aria-label="tokens">
      <h2>Tokens</h2>
      <Trouble problem={problem} />
      {reply === undefined && problem === undefined && <Loading what="tokens" />}
      {reply !== undefined && <CreateDeeds create={create} />}
      {made.map((one) => <Made key={one.token} token={one} close={() => setMade((before) => before.filter(({ token }) => token !== one.token))} />)}
      {reply !== undefined && <TokenTable tokens={reply.items} pending={pending} />}
      {reply !== undefined && <Pager pages={pages} size={pageTokens} shown={reply.items.length} next={reply.next} pending={pending} what="tokens" />}
    </section>
  );
}

const nameField: Field = { name: 'name', label: 'What is it called? A person: their name', kind: 'text', needed: true, hint: 'quinn' };
const scopesField: Field = { name: 'scopes', label: 'What may it do?', kind: 'text', needed: true, initial: 'read:*', hint: 'read:*,promote:env/prod' };
const groupsField: Field = { name: 'groups', label: 'Groups of the person, for approvals', kind: 'text', hint: 'qa,release' };
const daysField: Field = { name: 'days', label: 'For how many days? Empty: 30; 90 at most', kind: 'text', hint: '30' };
const environmentsField: Field = { name: 'environments', label: 'Environments that they may be certified for', kind: 'text', hint: 'prod-eu,prod-na' };
const labelsField: Field = { name: 'labels', label: 'Labels that they get', kind: 'text', hint: 'env=prod-eu,zone=a' };
const usesField: Field = { name: 'uses', label: 'How many machines may join with it?', kind: 'text', initial: '1' };
const hoursField: Field = { name: 'hours', label: 'For how many hours? Empty: 24', kind: 'text', hint: '24' };

/** A duration as the command line takes it. */
const lasting = (text: string | undefined, unit: string): string | undefined => ((text ?? '').trim() === '' ? undefined : `${(text ?? '').trim()}${unit}`);

function CreateDeeds({ create }: { readonly create: (read: Read) => Promise<void> }): JSX.Element {
  return (
    <div class="deeds">
      <Deed
        label="New token for a person or a program"
        fields={[nameField, scopesField, groupsField, daysField]}
        command={({ name = '', scopes = '', groups, days }: Filled) => commandText(['token', 'create', '--api', ['--name', name || '…'], ['--scopes', scopes], ['--group', groups], ['--ttl', lasting(days, 'd')]])}
        act={async (filled) => await create(apiTokenOf(filled))}
        done="the token is made: copy it now"
      />
      <Deed
        label="New token for machines to join with"
        fields={[nameField, environmentsField, labelsField, usesField, hoursField]}
        command={({ name = '', environments, labels, uses, hours }: Filled) => commandText(['token', 'create', '--join', ['--name', name || '…'], ['--environments', environments], ['--labels', labels], ['--uses', uses], ['--ttl', lasting(hours, 'h')]])}
        act={async (filled) => await create(joinTokenOf(filled))}
        done="the token is made: copy it now"
      />
    </div>
  );
}

function Made({ token: { name, text }, close }: { readonly token: NewToken; readonly close: () => void }): JSX.Element {
  return (
    <div class="notice" role="status">
      <p><strong>This is the token of {name}.</strong> It is shown this once: who has it can do what it allows.</p>
      <Cli command={text} what="token" />
      <button type="button" onClick={close}>I have it</button>
    </div>
  );
}

function tokenStanding({ revoked, expiresAt, use, uses, usesMax }: Token, now: number): Standing {
  if (revoked) return { tone: 'off', text: 'revoked' };
  if (expiresAt <= now) return { tone: 'off', text: 'expired' };
  return use === 'join' && uses >= usesMax ? { tone: 'off', text: 'used up' } : { tone: 'well', text: 'valid' };
}

function TokenTable({ tokens, pending }: { readonly tokens: readonly Token[]; readonly pending: boolean }): JSX.Element {
  const { now } = useUi();
  return (
    <table class="stacked" aria-busy={pending}>
      <caption class="unseen">tokens, newest first</caption>
      <thead><tr><th scope="col">Name</th><th scope="col">For</th><th scope="col">State</th><th scope="col">Allows</th><th scope="col">Made</th><th scope="col">Until</th><th scope="col">Id</th></tr></thead>
      <tbody>
        {tokens.map((token) => (
          <tr key={token.token}>
            <th scope="row">{token.name}</th>
            <td data-name="for">{token.use === 'api' ? 'the API' : `joining, ${token.uses} of ${token.usesMax} used`}</td>
            <td data-name="state"><Mark {...tokenStanding(token, now())} /></td>
            <td data-name="allows">{token.use === 'api' ? token.scopes.join(', ') : [...token.roles, ...token.environments].join(', ')}{token.groups.length > 0 && <small> groups {token.groups.join(', ')}</small>}</td>
            <td data-name="made"><Since at={token.createdAt} /></td>
            <td data-name="until">{timeText(token.expiresAt, now())}</td>
            <td data-name="id"><code>{token.token}</code>{tokenStanding(token, now()).text === 'valid' && <RevokeDeed token={token} />}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function RevokeDeed({ token: { token, name } }: { readonly token: Token }): JSX.Element {
  const { client } = useUi();
  const params = { token };
  const revoke = async (): Promise<void> => {
    const { tag } = await client.tagged('getToken', { params });
    await client.call('revokeToken', { params, ifMatch: tag });
  };
  return <Deed danger label={`Revoke ${name}`} fields={[nameAgain(name)]} command={() => commandText(['token', 'revoke', token])} act={revoke} done={`the token of ${name} is worth nothing any more`} />;
}
