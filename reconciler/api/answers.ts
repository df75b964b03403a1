/** Errors as Kubernetes' API answers them. */
import { errorText } from '../../contracts/errors.ts';
import { PlumbError } from '../core/errors.ts';
import type { ErrorStatus } from './types.ts';

/** An answer that is not 2xx. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

export function notFound(message: string): ApiError {
  return new ApiError(404, 'NotFound', message);
}

/** Source: Kubernetes, apimachinery/pkg/api/errors/errors.go, NewGenericServerResponse. */
export function methodNotAllowed(): ApiError {
  return new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
}

/** The Status object for anything thrown. Codes of the control plane's own errors are kept as the reason. */
export function errorStatus(error: unknown): ErrorStatus {
  const [code, reason] =
    error instanceof ApiError
      ? [error.status, error.reason]
      : error instanceof PlumbError
        ? [error.retry === 'never' ? 422 : 503, error.code]
        : refusalOf(error);
  return {
    apiVersion: 'v1',
    kind: 'Status',
    status: 'Failure',
    code,
    reason,
    message: errorText(error),
  };
}

/** Source: Kubernetes, apimachinery/pkg/apis/meta/v1/types.go, StatusReason. */
const REASONS: Readonly<Record<number, string>> = {
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
};

/** The HTTP server's own refusals (a body that is no JSON) carry their status; all else is our own fault. */
function refusalOf(error: unknown): readonly [code: number, reason: string] {
  const given = (error as { statusCode?: unknown }).statusCode;
  const code = typeof given === 'number' ? given : 500;
  return [code, REASONS[code] ?? (code < 500 ? 'BadRequest' : 'InternalError')];
}
