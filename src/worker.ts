import { expose } from 'comlink';
import { Llm } from './llm/llm';
import { carryErrors } from './wall';

carryErrors();
expose(new Llm());
