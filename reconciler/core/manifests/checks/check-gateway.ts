/** Gateway: its listeners. Source: the validation rules of the CRD, apis/v1/gateway_types.go of Gateway API. */
import type { Gateway } from '../../../../contracts/objects/index.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

export function checkGateway({ spec }: Gateway, { error, has }: CheckContext): void {
  const { listeners, addresses } = spec;
  const at = (index: number, ...rest: readonly string[]) => ['spec', 'listeners', index, ...rest];
  listeners.forEach(({ protocol, tls, hostname }, index) => {
    const hasTls = has(at(index, 'tls'));
    if (['HTTP', 'TCP', 'UDP'].includes(protocol) && hasTls)
      error('ForbiddenField', at(index, 'tls'), `may not be set when protocol is ${protocol}`, 'remove it');
    if (['TCP', 'UDP'].includes(protocol) && hostname !== undefined)
      error('ForbiddenField', at(index, 'hostname'), `may not be set when protocol is ${protocol}`, 'remove it');
    if (protocol === 'HTTPS' && tls?.mode === 'Passthrough')
      error(
        'InvalidValue',
        at(index, 'tls', 'mode'),
        'must be Terminate when protocol is HTTPS',
        'write protocol: TLS',
      );
    if (protocol === 'TLS' && !has(at(index, 'tls', 'mode')))
      error('MissingField', at(index, 'tls'), 'needs mode: Terminate or Passthrough when protocol is TLS');
    if (hasTls && tls?.mode === 'Terminate' && tls.certificateRefs.length === 0)
      error('MissingField', at(index, 'tls', 'certificateRefs'), 'must name a Secret when mode is Terminate');
  });
  eachDuplicate(
    listeners,
    ({ name }) => name,
    (_, name, index) => error('DuplicateName', at(index, 'name'), `${name} is the name of another listener`),
  );
  eachDuplicate(
    listeners,
    ({ port, protocol, hostname = '' }) => `${port} ${protocol} ${hostname}`,
    (_, _name, index, first) =>
      error(
        'DuplicateName',
        at(index, 'port'),
        `with its protocol and hostname is the same as that of listener ${listeners[first]?.name ?? ''}`,
      ),
  );
  eachDuplicate(
    addresses,
    ({ type, value }) => (value === undefined ? undefined : `${type} ${value}`),
    (_, _name, index) => error('DuplicateName', ['spec', 'addresses', index, 'value'], 'is there twice'),
  );
}
