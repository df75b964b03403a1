/** RuntimeClasses: pods run by the handler of theirs, with its overhead, and pods of none that there is are refused. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { StoredPod } from '../../../contracts/objects/index.ts';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import type { Theme } from './theme.ts';

export const runtimeClasses: Theme = (fleet, round) => {
  const namespace = `runtime-${round}`;
  const file = (name: string): string => `runtime-${round}/${name}.yaml`;
  const named = (name: string): string => `${name}-${round}`;
  const runtimeClass = (name: string, handler: string, rest = ''): Promise<void> =>
    fleet().write(
      file(name),
      `apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: ${named(name)}}\nhandler: ${handler}\n${rest}\n`,
    );
  const pod = (name: string, ofClass: string): Promise<void> =>
    fleet().write(
      file(`pod-${name}`),
      `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {terminationGracePeriodSeconds: 0, runtimeClassName: ${named(ofClass)}, containers: [{name: c, image: "registry.lab/hello:1"}]}\n`,
    );
  const found = async (name: string): Promise<StoredPod | undefined> =>
    (await fleet().list('Pod', namespace)).find(({ metadata }) => metadata.name === name);
  const running = (name: string): Promise<StoredPod> =>
    eventually(`${name} runs`, 60, async () => {
      const one = await found(name);
      return one && isReady(one) && one;
    });
  const told = (name: string): Promise<string | undefined> =>
    eventually(`${name} has no sandbox`, 60, async () => {
      const events = await fleet().list('Event', namespace);
      return events.find(
        ({ reason, involvedObject }) => reason === 'FailedCreatePodSandBox' && involvedObject.name === name,
      )?.message;
    });

  it('give their pods overhead and a handler [conformance: runtimeclass-overhead-field-must-be-respected, can-schedule-a-pod-requesting-existing-runtimeclass]', async () => {
    await fleet().write(file('namespace'), `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`);
    await runtimeClass('plain', 'runc');
    await runtimeClass('heavy', 'runc', 'overhead: {podFixed: {cpu: 10m, memory: 1Mi}}');
    await runtimeClass('absent', 'nobody-has-it');
    for (const name of ['plain', 'heavy', 'absent']) await pod(name, name);
    await fleet().commitAndPush('Run pods by classes');
    assert.equal((await running('plain')).spec.overhead, undefined);
    assert.deepEqual((await running('heavy')).spec.overhead, { cpu: '10m', memory: '1Mi' });
    // The runtime says it, so the handler has come to it.
    assert.match((await told('absent')) ?? '', /^Failed to create pod sandbox: .*nobody-has-it/);
    assert.equal((await found('absent'))?.status?.phase, 'Pending');
  });

  it('that are not there, or not any more, have no pods [conformance: pod-with-the-deleted-runtimeclass-is-rejected, pod-with-the-non-existing-runtimeclass-is-rejected]', async () => {
    const refused = async (name: string): Promise<void> => {
      await pod('late', name);
      await fleet().commit(`Name ${name}`);
      const { code, stderr } = await fleet().push();
      assert.notEqual(code, 0);
      assert.match(stderr, new RegExp(`pod-late\\.yaml:4:\\d+.*UnknownRuntimeClass .*RuntimeClass ${named(name)}`));
      await fleet().git(['reset', '-q', '--hard', 'HEAD~1']);
    };
    await refused('nowhere');
    await fleet().removeFiles(file('pod-absent'), file('absent'));
    await eventually('the class is gone', 60, async () =>
      (await fleet().list('RuntimeClass')).every(({ metadata }) => metadata.name !== named('absent')),
    );
    await refused('absent');
    await fleet().removeFiles(`runtime-${round}`);
    await eventually('nothing is left of it', 60, async () => (await fleet().list('Pod', namespace)).length === 0);
  });
};
