/** The browser half of `npm run bench`: the code of /bench.html without its page. */

import { createEngine } from '../../src/index';
import { failureText } from '../../web/bench/failure';
import { type BenchPlan, gridOf, neededSizes, parseCounts, parseLengths } from '../../web/bench/plan';
import type { BenchReport } from '../../web/bench/report';
import { reportText } from '../../web/bench/report-text';
import { runBench } from '../../web/bench/run';
import { measureInterference, measureSecondTurn, roomForScenes } from '../../web/bench/scenes';
import { type BenchStage, stageText } from '../../web/bench/stage';
import { benchEn } from '../../web/i18n/bench-en';
import { checkRandom, checkReport } from './smoke';

const engine = createEngine();

interface Request extends Omit<BenchPlan, 'cells'> {
  /** '1,8' */
  readonly concurrency: string;
  /** '128:128,2048:64' */
  readonly lengths: string;
  /** Tokens of the prompt that `scenes` will be called with. */
  readonly sceneTokens: number | null;
}

/** A failure becomes a value, because only messages of errors reach the driver. */
async function run({
  concurrency,
  lengths,
  sceneTokens,
  ...plan
}: Request): Promise<BenchReport | { readonly failure: string }> {
  try {
    const cells = gridOf(parseCounts(concurrency), parseLengths(lengths));
    const room = neededSizes(sceneTokens === null ? cells : [...cells, roomForScenes(sceneTokens)]);
    const options = { ...room, ...plan.options };
    const onStage = (stage: BenchStage) => console.info(stageText(stage, benchEn));
    return await runBench(engine, { ...plan, options, cells }, { onStage });
  } catch (thrown) {
    return { failure: failureText(thrown) };
  }
}

/** Of the model that `run` has loaded with room for them. */
async function scenes(tokens: number) {
  return {
    interference: await measureInterference(engine, tokens),
    secondTurn: await measureSecondTurn(engine, tokens),
  };
}

Object.assign(globalThis, {
  tabmindBench: { run, text: reportText, checkReport, scenes, checkRandom: () => checkRandom(engine) },
});
