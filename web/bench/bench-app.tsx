import { benchWords } from '../i18n/bench';
import { BenchForm } from './bench-form';
import { CompareFiles } from './compare-files';
import { FailureNote } from './failure-note';
import { ReportView } from './report-view';
import { benchReport, benchState, stopBench } from './session';
import { stageText } from './stage';

export function BenchApp() {
  const report = benchReport.value;
  const { page } = benchWords.value;
  return (
    <main class="bench">
      <a href="./">← {page.chat}</a>
      <h1>{page.title}</h1>
      <p class="bench-lead">{page.lead}</p>
      <BenchForm />
      <Progress />
      {report && <ReportView report={report} />}
      <CompareFiles />
    </main>
  );
}

function Progress() {
  const state = benchState.value;
  const words = benchWords.value;
  return (
    <div class="bench-progress" role="status">
      {state.status === 'running' && (
        <>
          <span>{stageText(state.stage, words)} …</span>
          <button type="button" class="button button-quiet" onClick={stopBench}>
            {words.progress.stop}
          </button>
        </>
      )}
      {state.status === 'stopped' && <span>{words.progress.stopped}</span>}
      {state.status === 'done' && <span>{words.progress.done}</span>}
      {state.status === 'failed' && <FailureNote error={state.error} />}
    </div>
  );
}
