/** What a container of Compose may do, as a security context. */
import type { Fields } from '../fields.ts';
import type { Report } from '../report.ts';

export function securityOf(service: Fields, report: Report): Record<string, unknown> | undefined {
  const user = service.scalar('user');
  const [uid, gid] = user?.source.split(':') ?? [];
  const isNumber = (text: string | undefined): boolean => text !== undefined && /^\d{1,10}$/.test(text);
  if (user && (!isNumber(uid) || (gid !== undefined && !isNumber(gid))))
    report.lost(
      user.at,
      `${service.where}.user names a user of the image`,
      'write the number that it has there: 1000, or 1000:1000',
    );
  const [add, drop] = [capabilities(service, 'cap_add'), capabilities(service, 'cap_drop')];
  const context: Record<string, unknown> = {
    runAsUser: isNumber(uid) ? Number(uid) : undefined,
    runAsGroup: isNumber(gid) ? Number(gid) : undefined,
    privileged: service.flag('privileged') === true || undefined,
    readOnlyRootFilesystem: service.flag('read_only') === true || undefined,
    ...securityOptions(service, report),
    capabilities: add || drop ? { add, drop } : undefined,
  };
  return Object.values(context).some((value) => value !== undefined) ? context : undefined;
}

function capabilities(service: Fields, name: string): string[] | undefined {
  const names = service.texts(name).map((text) => text.toUpperCase().replace(/^CAP_/, ''));
  return names.length > 0 ? names : undefined;
}

function securityOptions(service: Fields, report: Report): Record<string, unknown> {
  const context: Record<string, unknown> = {};
  for (const { at, source } of service.scalars('security_opt')) {
    const [option = '', value = 'true'] = source.split(/[:=]/);
    if (option === 'no-new-privileges') context['allowPrivilegeEscalation'] = value !== 'true';
    else if (option === 'seccomp' && value === 'unconfined') context['seccompProfile'] = { type: 'Unconfined' };
    else if (option === 'apparmor' && value === 'unconfined') context['appArmorProfile'] = { type: 'Unconfined' };
    else report.lost(at, `${service.where}.security_opt: ${option} is not carried over`);
  }
  return context;
}
