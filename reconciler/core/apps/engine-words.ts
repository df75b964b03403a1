/** What an engine says when it fails, for people: short, without places that only the call knows, on one line. */
import { CALL_ROOT, type EngineAnswer, type EngineName } from './engine.ts';
import { MADE, REPOSITORY } from './app-call.ts';

const MAX_WORDS = 1_000;

export function engineWords(engine: EngineName, answer: Extract<EngineAnswer, { readonly ok: false }>): string {
  switch (answer.reason) {
    case 'timeout':
      return `takes too long: ${engine} was ended ${answer.message}`;
    case 'output':
      return `makes too much: ${engine} was ended ${answer.message}`;
    case 'crashed':
      return `makes ${engine} break down: ${plain(answer.message)}`;
    case 'refused':
      return `is refused by ${engine}: ${plain(answer.message)}`;
  }
}

function plain(message: string): string {
  const words = message
    .replaceAll(`${CALL_ROOT}/${REPOSITORY}/`, '')
    .replaceAll(`${CALL_ROOT}/${MADE}`, 'the App')
    .replace(/^error: |^Error: /i, '')
    .replace(/\n+Use --debug flag to render out invalid YAML\s*$/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return words.length > MAX_WORDS ? `${words.slice(0, MAX_WORDS)}...` : words;
}
