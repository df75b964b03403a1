/** Answers of the agent's API. */
import type { ServerResponse } from 'node:http';
import { errorText } from '../../../contracts/errors.ts';
import type { AgentError } from '../../../contracts/agent/index.ts';

/** An answer that is not 2xx. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly version: string | null | undefined;
  constructor(status: number, code: string, message: string, version?: string | null) {
    super(message);
    this.status = status;
    this.code = code;
    this.version = version;
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, 'application/json', JSON.stringify(body));
}

export function sendText(response: ServerResponse, type: string, text: string): void {
  send(response, 200, type, text);
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

export function errorBody(error: ApiError): AgentError {
  return { code: error.code, message: error.message, ...(error.version !== undefined && { version: error.version }) };
}

export function sendError(response: ServerResponse, error: unknown): void {
  const known = error instanceof ApiError ? error : new ApiError(500, 'Internal', errorText(error));
  if (response.headersSent) response.destroy();
  else sendJson(response, known.status, errorBody(known));
}
