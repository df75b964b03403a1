/** Ingresses and Gateways that nobody here serves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';

function told(...texts: readonly string[]): string[] {
  const files = texts.map((text, i) => parseManifest(`${i}.yaml`, String(i), new TextEncoder().encode(text)));
  return composeState(files, []).diagnostics.map(formatDiagnostic);
}
const ingress = (spec: string, metadata = ''): string =>
  `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop${metadata}}
spec:
  defaultBackend: {service: {name: shop, port: {number: 80}}}
  ${spec}
`;
const ingressClass = (name: string, controller: string, annotations = ''): string =>
  `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: ${name}${annotations}}
spec: {controller: ${controller}}
`;
const gateway = (name: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: ${name}
  listeners: [{name: http, port: 80, protocol: HTTP}]
`;
const gatewayClass = (name: string, spec: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: ${name}}
spec: {${spec}}
`;
const DEFAULT = ", annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}";
const OTHER = 'example.com/ingress';

describe('an Ingress', () => {
  it('of a class that is in no manifest is told of', () => {
    assert.deepEqual(told(ingress('ingressClassName: nginx')), [
      '0.yaml:6:21 NotActedOn warning: nobody here serves this Ingress: its class nginx is in no manifest; write ingressClassName: plumbline, or add an IngressClass of this name with spec.controller: plumbline.dev/ingress',
    ]);
    assert.match(
      told(ingress('', ', annotations: {kubernetes.io/ingress.class: nginx}')).join('\n'),
      /^0\.yaml:3:67 NotActedOn .* its class nginx is in no manifest/,
    );
  });

  it("of another controller's class is told of, also where it names none", () => {
    assert.match(
      told(ingress('ingressClassName: own'), ingressClass('own', OTHER)).join('\n'),
      /^0\.yaml:6:21 NotActedOn .* its class own is of the controller example\.com\/ingress; write spec\.controller: plumbline\.dev\/ingress in the IngressClass/,
    );
    assert.match(
      told(ingress(''), ingressClass('own', OTHER, DEFAULT)).join('\n'),
      /^0\.yaml:1:1 NotActedOn .* its default class own is of the controller/,
    );
  });

  for (const [title, ...texts] of [
    ['that names no class', ingress('')],
    ['of our class', ingress('ingressClassName: plumbline')],
    ['of a class of ours', ingress('ingressClassName: nginx'), ingressClass('nginx', 'plumbline.dev/ingress')],
    ['of the default class, which is ours', ingress(''), ingressClass('nginx', 'plumbline.dev/ingress', DEFAULT)],
  ] as const)
    it(`${title} is served`, () => {
      assert.deepEqual(told(...texts), []);
    });

  it('of a class whose manifest is refused is not blamed for it', () => {
    assert.deepEqual(
      told(ingress('ingressClassName: nginx'), ingressClass('nginx', 'none')).filter((line) => /NotActedOn/.test(line)),
      [],
    );
  });
});

describe('a Gateway', () => {
  it('of a class that nobody here serves is told of', () => {
    assert.match(told(gateway('istio')).join('\n'), /^0\.yaml:5:21 NotActedOn .* its class istio is in no manifest/);
    assert.match(
      told(gateway('istio'), gatewayClass('istio', 'controllerName: istio.io/gateway-controller')).join('\n'),
      /its class istio is of the controller istio\.io\/gateway-controller; write spec\.controllerName: plumbline\.dev\/gateway/,
    );
    const parameters = 'parametersRef: {group: "", kind: ConfigMap, name: a}';
    assert.match(
      told(gateway('own'), gatewayClass('own', `controllerName: plumbline.dev/gateway, ${parameters}`)).join('\n'),
      /its class own has parameters, which are not read here; remove spec\.parametersRef/,
    );
  });

  it('of our class, or one of ours, is served', () => {
    assert.deepEqual(told(gateway('plumbline')), []);
    assert.deepEqual(told(gateway('own'), gatewayClass('own', 'controllerName: plumbline.dev/gateway')), []);
  });
});

describe('an object of a namespace that Kubernetes has from its start', () => {
  const config = (namespace: string): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ${namespace}}\n`;

  it('needs no Namespace beside it', () => {
    for (const name of ['default', 'kube-system']) assert.deepEqual(told(config(name)), []);
    assert.match(told(config('kube-sys')).join('\n'), /UnknownNamespace .*add a manifest of kind Namespace/);
  });
});

describe('a Service of a family that the cluster has not', () => {
  it('is told of where it says so', () => {
    const text =
      'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports: [{port: 80}]\n  ipFamilies: [IPv6]\n';
    assert.match(told(text).join('\n'), /^0\.yaml:6:3 InvalidValue spec\.ipFamilies\[0\] may not be IPv6/);
  });
});

describe('a Secret for the token of a ServiceAccount', () => {
  const secret = (data: string): string =>
    `apiVersion: v1
kind: Secret
metadata: {name: a, annotations: {kubernetes.io/service-account.name: app}}
type: kubernetes.io/service-account-token
${data}`;

  it('is told of where it has none, as nobody here fills it in', () => {
    assert.deepEqual(told(secret('')), [
      '0.yaml:4:7 NotActedOn warning: type is kubernetes.io/service-account-token: nobody here fills in a token; have one in a projected volume, with a source serviceAccountToken',
    ]);
    assert.deepEqual(told(secret('stringData: {token: a.b.c}\n')), []);
  });
});
