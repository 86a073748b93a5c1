// How a promotion is configured, edited where one looks at it: first it is said what the edit would change, invalidate and begin; then it is
// applied, if nobody has changed the pipeline meanwhile.

import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Pipeline, Plan } from '../../../proto/api/pipelines.ts';
import { ClientError } from '../client.ts';
import { mayMoveFocus } from '../parts/focus.ts';
import { Blockers, Cli, Trouble } from '../parts/small.tsx';
import { useUi } from '../ui.ts';
import { commandText } from '../words.ts';
import { editedPipeline, edgeOf, readDuration, wishOf, writeDuration, type EdgeWish } from './edit-edge.ts';

interface Loaded {
  readonly pipeline: Pipeline;
  readonly tag: string;
}

/** `pipeline` and the name of the promotion in it. */
export interface ConfigureProps {
  readonly pipeline: string;
  readonly edge: string;
}

export function Configure({ pipeline, edge }: ConfigureProps): JSX.Element {
  const ui = useUi();
  const [loaded, setLoaded] = useState<Loaded | undefined>(undefined);
  const [problem, setProblem] = useState<ClientError | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const whole = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const close = (): void => {
    setLoaded(undefined);
    if (mayMoveFocus(whole.current)) opener.current?.focus();
  };
  const open = async (): Promise<void> => {
    setBusy(true);
    try {
      const { reply, tag } = await ui.client.tagged('getPipeline', { params: { pipeline } });
      setLoaded({ pipeline: reply, tag });
      setProblem(undefined);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  const toggle = (): void => (busy ? undefined : loaded === undefined ? void open() : close());
  return (
    <div class="deed" ref={whole}>
      <button ref={opener} type="button" aria-expanded={loaded !== undefined} aria-disabled={busy} onClick={toggle}>Edit this promotion</button>
      <Trouble problem={problem} />
      {loaded !== undefined && <ConfigureForm loaded={loaded} edge={edge} busy={busy} setBusy={setBusy} close={close} />}
    </div>
  );
}

interface ConfigureFormProps {
  readonly loaded: Loaded;
  readonly edge: string;
  /** Whether something was sent and is not answered yet. */
  readonly busy: boolean;
  readonly setBusy: (busy: boolean) => void;
  readonly close: () => void;
}

/** What an edit would change, and which edit that is: of another one it says nothing. */
interface Planned {
  readonly of: string;
  readonly plan: Plan;
}

function ConfigureForm({ loaded: { pipeline, tag }, edge, busy, setBusy, close }: ConfigureFormProps): JSX.Element {
  const ui = useUi();
  const spec = edgeOf(pipeline.spec, edge);
  const [wish, setWish] = useState<EdgeWish>(() => (spec === undefined ? { auto: false, soakMs: 0, windows: [], after: [] } : wishOf(spec)));
  const [soak, setSoak] = useState(writeDuration(wish.soakMs));
  const [planned, setPlanned] = useState<Planned | undefined>(undefined);
  const [problem, setProblem] = useState<ClientError | undefined>(undefined);
  const form = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => (mayMoveFocus(form.current?.parentElement ?? null) ? form.current?.querySelector<HTMLElement>('input')?.focus() : undefined), []);
  const params = { pipeline: pipeline.pipeline };
  const edit = JSON.stringify([wish, soak]);
  const plan = planned?.of === edit ? planned.plan : undefined;
  const change = (more: Partial<EdgeWish>): void => setWish((before) => ({ ...before, ...more }));
  const leave = (): void => (busy ? undefined : close());
  const submit = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    try {
      const soakMs = readDuration(soak);
      if (soakMs === undefined) throw new ClientError('INVALID_REQUEST', `'${soak}' is not a duration: write 90min, 1h 30min or 2d`);
      const body = editedPipeline(pipeline, edge, { ...wish, soakMs });
      setProblem(undefined);
      if (plan === undefined) return setPlanned({ of: edit, plan: await ui.client.call('planPipeline', { params, body }) });
      await ui.client.call('applyPipeline', { params, body, ifMatch: tag });
      ui.said.value = 'the pipeline is applied';
      ui.live.refresh();
      close();
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      ref={form}
      class="deed-form"
      aria-label="Edit this promotion"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        // The panel around it stays.
        event.stopPropagation();
        leave();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Choice label="Automatic: the newest that is approved goes by itself" on={wish.auto} set={(auto) => change({ auto })} />
      <label>
        <span>Soaks at its source for</span>
        <input type="text" value={soak} placeholder="nothing; such as 90min, 1h 30min" onInput={({ currentTarget: { value } }) => setSoak(value)} />
      </label>
      <Choices legend="Windows of this promotion, beside those of where it goes" names={pipeline.spec.windows.map(({ window }) => window)} chosen={wish.windows} set={(windows) => change({ windows })} />
      <Choices legend="Only after it succeeded in" names={pipeline.spec.stages.flatMap(({ environments }) => environments.map(({ environment }) => environment)).filter((one) => one !== spec?.to)} chosen={wish.after} set={(after) => change({ after })} />
      {plan !== undefined && <PlanText plan={plan} />}
      <Trouble problem={problem} />
      <p><small>A pipeline that is kept in a file goes back to what the file says when that is applied the next time. The file as it is after this:</small></p>
      <Cli command={commandText(['pipeline', 'export', pipeline.pipeline])} />
      <p class="buttons">
        {plan?.kind !== 'none' && <button type="submit" class="main" aria-disabled={busy}>{busy ? 'asking …' : plan === undefined ? 'What would this change?' : 'Apply'}</button>}
        <button type="button" class="quiet" aria-disabled={busy} onClick={leave}>Leave it</button>
      </p>
    </form>
  );
}

function Choice({ label, on, set }: { readonly label: string; readonly on: boolean; readonly set: (on: boolean) => void }): JSX.Element {
  return (
    <label class="check">
      <span>{label}</span>
      <input type="checkbox" checked={on} onChange={({ currentTarget: { checked } }) => set(checked)} />
    </label>
  );
}

interface ChoicesProps {
  readonly legend: string;
  readonly names: readonly string[];
  readonly chosen: readonly string[];
  readonly set: (chosen: readonly string[]) => void;
}

function Choices({ legend, names, chosen, set }: ChoicesProps): JSX.Element | null {
  if (names.length === 0) return null;
  return (
    <fieldset>
      <legend>{legend}</legend>
      {names.map((name) => <Choice key={name} label={name} on={chosen.includes(name)} set={(on) => set(on ? [...chosen, name] : chosen.filter((one) => one !== name))} />)}
    </fieldset>
  );
}

/** What an apply would do, in the order in which it matters. */
function PlanText({ plan: { kind, changes, approvals, runs, promotions, begins, warnings } }: { readonly plan: Plan }): JSX.Element {
  if (kind === 'none') return <p role="status">Nothing: it is like that already.</p>;
  return (
    <div role="status" class="plan">
      <h3>This would</h3>
      <ul>
        {changes.map(({ action, path, before, after }) => <li key={path}>{action} <code>{path}</code>{action === 'change' && <>: {JSON.stringify(before)} → {JSON.stringify(after)}</>}</li>)}
        {approvals.map(({ approval, becomes, reason }) => <li key={approval}><strong>make the approval {approval} {becomes}</strong>: {reason}</li>)}
        {runs.map(({ run, workflow, environment, reason }) => <li key={run}><strong>end {workflow} in {environment}</strong>: {reason}</li>)}
        {begins.map(({ environment }) => <li key={environment}><strong>begin a promotion to {environment} at once</strong></li>)}
        {warnings.map((warning) => <li key={warning}><strong>{warning}</strong></li>)}
      </ul>
      {promotions.map(({ promotion, environment, holds, frees }) => (
        <div key={promotion}>
          {holds.length > 0 && <p>What waits for {environment} would newly be held:</p>}
          <Blockers blockers={holds} />
          {frees.length > 0 && <p>What waits for {environment} would no longer be held by:</p>}
          <Blockers blockers={frees} />
        </div>
      ))}
    </div>
  );
}
