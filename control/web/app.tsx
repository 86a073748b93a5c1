// The frame around every screen: who is signed in, how fresh things are, where else there is to go. Screens that not everybody opens are
// loaded when they are.

import type { ComponentType, JSX } from 'preact';
import { ErrorBoundary, lazy, LocationProvider, Route, Router, useLocation } from 'preact-iso';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { onKey } from './browser.ts';
import { OverviewPage } from './pages/overview.tsx';
import { LoginPage } from './pages/login.tsx';
import { Theme } from './parts/theme.tsx';
import { FreshnessBadge } from './parts/freshness.tsx';
import { useQuery } from './query.ts';
import { UiProvider, useUi, type Ui } from './ui.ts';

/** A part that is loaded when it is needed. Whoever has had the page open while the control plane was updated asks for what is gone. */
function screen<Props>(load: () => Promise<ComponentType<Props>>) {
  return lazy(async () => await load().catch(() => Outdated));
}

const ApprovalsPage = screen(async () => (await import('./pages/approvals.tsx')).ApprovalsPage);
const AuditPage = screen(async () => (await import('./pages/audit.tsx')).AuditPage);
const CalendarPage = screen(async () => (await import('./pages/calendar.tsx')).CalendarPage);
const ChangesPage = screen(async () => (await import('./pages/changes.tsx')).ChangesPage);
const DeploymentPage = screen(async () => (await import('./pages/deployment.tsx')).DeploymentPage);
const EnvironmentPage = screen(async () => (await import('./pages/environment.tsx')).EnvironmentPage);
const Palette = screen(async () => (await import('./palette/palette.tsx')).Palette);
const PipelinePage = screen(async () => (await import('./pages/pipeline.tsx')).PipelinePage);
const PromotionPage = screen(async () => (await import('./pages/deployment.tsx')).PromotionPage);
const ReceiptPage = screen(async () => (await import('./pages/receipt.tsx')).ReceiptPage);
const SettingsPage = screen(async () => (await import('./pages/settings.tsx')).SettingsPage);
const SwarmPage = screen(async () => (await import('./pages/swarm.tsx')).SwarmPage);
const TargetPage = screen(async () => (await import('./pages/target.tsx')).TargetPage);
const TargetsPage = screen(async () => (await import('./pages/targets.tsx')).TargetsPage);
const TracePage = screen(async () => (await import('./pages/trace.tsx')).TracePage);

export function App({ ui }: { readonly ui: Ui }): JSX.Element {
  return (
    <UiProvider value={ui}>
      <LocationProvider>
        {ui.token.value === undefined ? <LoginPage /> : <Frame />}
        <p class="unseen" aria-live="polite">{ui.said.value}</p>
      </LocationProvider>
    </UiProvider>
  );
}

function Frame(): JSX.Element {
  const ui = useUi();
  useEffect(() => {
    const stop = new AbortController();
    void ui.live.run(stop.signal);
    return () => stop.abort();
  }, []);
  const { path } = useLocation();
  const main = useRef<HTMLElement>(null);
  const begun = useRef(path);
  // A link leaves the focus on what is gone: whoever cannot see would begin at the top of the header again on each screen. At once: a frame later it would
  // be taken from the field into which a quick person writes.
  useLayoutEffect(() => {
    if (begun.current !== path) main.current?.focus();
    begun.current = path;
  }, [path]);
  const [going, setGoing] = useState(false);
  useLayoutEffect(() => onKey(({ key, ctrlKey, metaKey }) => (ctrlKey || metaKey) && key.toLowerCase() === 'k', () => setGoing(true)), []);
  return (
    <>
      <a class="skip" href="#main">to the content</a>
      <header>
        <a class="brand" href="/">Starling</a>
        <Navigation />
        <span class="filler" />
        <button type="button" class="quiet" aria-keyshortcuts="Control+K" onClick={() => setGoing(true)}>Go to … <kbd>Ctrl K</kbd></button>
        <FreshnessBadge />
        <Theme />
        <button type="button" class="quiet" onClick={() => ui.signOut()}>Sign out</button>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Router>
          <Route path="/" component={OverviewPage} />
          <Route path="/pipelines" component={OverviewPage} />
          <Route path="/pipelines/:pipeline" component={PipelinePage} />
          <Route path="/environments/:environment" component={EnvironmentPage} />
          <Route path="/deployments/:deployment" component={DeploymentPage} />
          <Route path="/deployments/:deployment/receipt" component={ReceiptPage} />
          <Route path="/promotions/:promotion" component={PromotionPage} />
          <Route path="/approvals" component={ApprovalsPage} />
          <Route path="/settings" component={SettingsPage} />
          <Route path="/swarm" component={SwarmPage} />
          <Route path="/audit" component={AuditPage} />
          <Route path="/calendar" component={CalendarPage} />
          <Route path="/changes" component={ChangesPage} />
          <Route path="/trace" component={TracePage} />
          <Route path="/targets" component={TargetsPage} />
          <Route path="/targets/:target" component={TargetPage} />
          <Route default component={Nowhere} />
        </Router>
      </main>
      {going && <ErrorBoundary><Palette close={() => setGoing(false)} /></ErrorBoundary>}
    </>
  );
}

function Navigation(): JSX.Element {
  const { path } = useLocation();
  const waiting = useQuery('listApprovals', { params: {}, query: { assignee: 'me', limit: 100 } }).reply?.items.length ?? 0;
  const here = (begin: string, also?: string): 'page' | undefined => (path.startsWith(begin) || path === also ? 'page' : undefined);
  return (
    <nav aria-label="Screens">
      <a href="/pipelines" aria-current={here('/pipelines', '/')}>Pipelines</a>
      <a href="/approvals" aria-current={here('/approvals')}>Approvals{waiting > 0 && <span class="count"> {waiting}<span class="unseen"> wait for you</span></span>}</a>
      <a href="/changes" aria-current={here('/changes', '/trace')}>Changes</a>
      <a href="/targets" aria-current={here('/targets')}>Targets</a>
      <a href="/swarm" aria-current={here('/swarm')}>Swarm</a>
      <a href="/calendar" aria-current={here('/calendar')}>Calendar</a>
      <a href="/audit" aria-current={here('/audit')}>Audit</a>
      <a href="/settings" aria-current={here('/settings')}>Settings</a>
    </nav>
  );
}

function Outdated(): JSX.Element {
  return (
    <div class="notice bad" role="alert">
      <p>This screen could not be loaded: the network is down, or the control plane was updated since the page was opened.</p>
      <button type="button" class="main" onClick={() => location.reload()}>Load the page again</button>
    </div>
  );
}

function Nowhere(): JSX.Element {
  return (
    <>
      <h1>There is nothing here</h1>
      <p>The address may have been cut off on its way. <a href="/">All pipelines</a></p>
    </>
  );
}
