// The frame around every screen: who is signed in, how fresh things are, where else there is to go. Screens that not everybody opens are
// loaded when they are.

import type { JSX } from 'preact';
import { lazy, LocationProvider, Route, Router, useLocation } from 'preact-iso';
import { useEffect, useRef } from 'preact/hooks';
import { OverviewPage } from './pages/overview.tsx';
import { LoginPage } from './pages/login.tsx';
import { Theme } from './parts/theme.tsx';
import { FreshnessBadge } from './parts/freshness.tsx';
import { useQuery } from './query.ts';
import { UiProvider, useUi, type Ui } from './ui.ts';

const ApprovalsPage = lazy(async () => (await import('./pages/approvals.tsx')).ApprovalsPage);
const AuditPage = lazy(async () => (await import('./pages/audit.tsx')).AuditPage);
const CalendarPage = lazy(async () => (await import('./pages/calendar.tsx')).CalendarPage);
const ChangesPage = lazy(async () => (await import('./pages/changes.tsx')).ChangesPage);
const DeploymentPage = lazy(async () => (await import('./pages/deployment.tsx')).DeploymentPage);
const EnvironmentPage = lazy(async () => (await import('./pages/environment.tsx')).EnvironmentPage);
const PromotionPage = lazy(async () => (await import('./pages/deployment.tsx')).PromotionPage);
const ReceiptPage = lazy(async () => (await import('./pages/receipt.tsx')).ReceiptPage);
const SwarmPage = lazy(async () => (await import('./pages/swarm.tsx')).SwarmPage);
const TargetPage = lazy(async () => (await import('./pages/target.tsx')).TargetPage);
const TargetsPage = lazy(async () => (await import('./pages/targets.tsx')).TargetsPage);
const TracePage = lazy(async () => (await import('./pages/trace.tsx')).TracePage);
const PipelinePage = lazy(async () => (await import('./pages/pipeline.tsx')).PipelinePage);

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
  // A link leaves the focus on what is gone: whoever cannot see would begin at the top of the header again on each screen.
  useEffect(() => {
    if (begun.current !== path) main.current?.focus();
    begun.current = path;
  }, [path]);
  return (
    <>
      <a class="skip" href="#main">to the content</a>
      <header>
        <a class="brand" href="/">Starling</a>
        <Navigation />
        <span class="filler" />
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
    </nav>
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
