/** What is run to hold a pod's traffic to a rate. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bandwidthIn, podBandwidth } from '../../../contracts/objects/pod-bandwidth.ts';
import { shapedCable, shapingCommands, shapingDevice } from '../../../nodeagent/core/cni/shaping.ts';

describe('the rates of a pod', () => {
  const texts: readonly (readonly [string, number | undefined])[] = [
    ['1k', 1000],
    ['999', undefined],
    ['10M', 10_000_000],
    ['1Gi', 2 ** 30],
    ['1P', 1e15],
    ['2P', undefined],
    ['-10M', undefined],
    ['10 M', undefined],
    ['', undefined],
  ];
  for (const [text, rate] of texts)
    it(`${JSON.stringify(text)} is ${rate ?? 'none'}`, () => {
      assert.equal(bandwidthIn(text), rate);
    });

  it('are those of its annotations', () => {
    const ingress = { 'kubernetes.io/ingress-bandwidth': '1M' };
    assert.equal(podBandwidth(undefined), undefined);
    assert.equal(podBandwidth({ other: '1M' }), undefined);
    assert.deepEqual(podBandwidth(ingress), { ingress: 1_000_000 });
    assert.equal(
      podBandwidth({ ...ingress, 'kubernetes.io/egress-bandwidth': 'x' }),
      'annotation kubernetes.io/egress-bandwidth is no rate between 1k and 1P',
    );
  });
});

describe('the device of a cable', () => {
  it('is named by it, and tells it', () => {
    assert.equal(shapingDevice('veth5ca79a95'), 'plumb-b5ca79a95');
    assert.equal(shapedCable('plumb-b5ca79a95'), 'veth5ca79a95');
    // Linux: 15 characters of a device's name at most (IFNAMSIZ).
    assert.ok((shapingDevice('veth5ca79a95') ?? '').length <= 15);
  });
  for (const name of ['undefined', 'eth0', 'vethXca79a95', 'veth5ca79a9', 'veth5ca79a955', '-veth5ca79a95'])
    it(`is none of ${name}`, () => {
      assert.equal(shapingDevice(name), undefined);
    });
  for (const name of ['plumb-wg', 'plumb-vxlan', 'plumb-b', 'ifb0', 'bwp34a6f312840b'])
    it(`is not ${name}`, () => {
      assert.equal(shapedCable(name), undefined);
    });
});

describe('what is run', () => {
  const of = (rates: object): readonly string[] =>
    shapingCommands('veth5ca79a95', 'plumb-b5ca79a95', rates).map((argv) => argv.join(' '));
  it('is a bucket on the cable for what the pod gets', () => {
    assert.deepEqual(of({ ingress: 8_000_000 }), [
      'tc qdisc replace dev veth5ca79a95 root handle 1: tbf rate 8000000bit burst 65536b latency 25ms',
    ]);
  });
  it('is another device with a bucket, ready before packets are led there, for what it sends', () => {
    assert.deepEqual(of({ egress: 10_000_000_000 }), [
      'ip link set dev plumb-b5ca79a95 up',
      'tc qdisc replace dev plumb-b5ca79a95 root handle 1: tbf rate 10000000000bit burst 12500000b latency 25ms',
      'tc qdisc replace dev veth5ca79a95 handle ffff: ingress',
      'tc filter replace dev veth5ca79a95 parent ffff: protocol all prio 1 handle 800::1 u32 match u32 0 0 action mirred egress redirect dev plumb-b5ca79a95',
    ]);
  });
});
