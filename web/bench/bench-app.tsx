import { BenchForm } from './bench-form';
import { CompareFiles } from './compare-files';
import { ReportView } from './report-view';
import { benchReport, benchState, stopBench } from './session';

export function BenchApp() {
  const report = benchReport.value;
  return (
    <main class="bench">
      <a href="./">← Chat</a>
      <h1>tabmind benchmark</h1>
      <p class="bench-lead">
        How fast a model runs in this browser, on this graphics card. Close other tabs and keep this one in
        front.
      </p>
      <BenchForm />
      <Progress />
      {report && <ReportView report={report} />}
      <CompareFiles />
    </main>
  );
}

function Progress() {
  const state = benchState.value;
  return (
    <div class="bench-progress" role="status">
      {state.status === 'running' && (
        <>
          <span>{state.stage} …</span>
          <button type="button" class="button button-quiet" onClick={stopBench}>
            Stop
          </button>
        </>
      )}
      {state.status === 'stopped' && <span>Stopped.</span>}
      {state.status === 'failed' && <span class="bench-failed">{state.message}</span>}
    </div>
  );
}
