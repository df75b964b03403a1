import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { createPolicyGate, type PolicyGate } from '../../../nodeagent/loops/policy-gate.ts';
import { policy } from '../network/policy-world.ts';
import { TestAssignment } from '../network/world.ts';

const POD = 'pods/default/web' as const;
const never = new AbortController().signal;
const knowing = (...addresses: readonly string[]): Parameters<PolicyGate['inForce']>[0] => ({
  knows: (pod, uid, address) => pod === POD && uid === 'u' && addresses.includes(address),
});

describe("the gate before a pod's first process", () => {
  it('is open where there is no policy', async () => {
    await createPolicyGate(new TestAssignment('n1'), systemClock).passed(POD, 'u', ['10.0.0.1'], never);
  });

  it('opens when the rules in force have the pod with its address, and not before', async () => {
    const gate = createPolicyGate(new TestAssignment('n1', [policy('other', {})]), systemClock);
    let isOpen = false;
    const passed = gate.passed(POD, 'u', ['10.0.0.2'], never).then(() => {
      isOpen = true;
    });
    gate.inForce(knowing());
    gate.inForce(knowing('10.0.0.1'));
    // What is decided is not in force before it is written.
    gate.inForce(undefined);
    await new Promise(setImmediate);
    assert.equal(isOpen, false);
    gate.inForce(knowing('10.0.0.2'));
    await passed;
    await gate.passed(POD, 'u', ['10.0.0.2'], never);
  });

  it('says what it waited for, after ten seconds, and stops with the agent', async () => {
    const soon = {
      ...systemClock,
      deadline: (_ms: number, ...rest: readonly AbortSignal[]) => systemClock.deadline(1, ...rest),
    };
    const gate = createPolicyGate(new TestAssignment('n1', [policy('default', {})]), soon);
    await assert.rejects(
      gate.passed(POD, 'u', ['10.0.0.1'], never),
      /the rules of NetworkPolicies .* not in force yet/,
    );
    const stop = new AbortController();
    const waiting = createPolicyGate(new TestAssignment('n1', [policy('default', {})]), systemClock);
    const passed = waiting.passed(POD, 'u', ['10.0.0.1'], stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(passed, /enough/);
  });
});
