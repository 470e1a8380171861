import { expose } from 'comlink';
import { Line } from './line';
import { Llm } from './llm/llm';
import { carryErrors } from './wall';

carryErrors();
const line = new Line();
expose(new Llm((stream, items) => line.send({ stream, items })), line);
