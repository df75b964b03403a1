/**
 * How others verify the tokens of the cluster's pods: OpenID Connect Discovery, at Kubernetes' own paths. There is nothing
 * secret in it. Source: Kubernetes, pkg/routes/openidmetadata.go.
 */
import { DEFAULT_ISSUER, openIdConfiguration, type JsonWebKeySet } from '../../core/service-accounts/signing-key.ts';
import type { StoreView } from '../../controllers/runtime/controller.ts';
import type { Feature } from '../routes.ts';

export interface OpenIdNeeds {
  readonly view: Pick<StoreView, 'list'>;
  /** Of the key that tokens are signed with. */
  readonly keySet: JsonWebKeySet;
}

export function openId({ view, keySet }: OpenIdNeeds): Feature {
  return ({ app }) => {
    app.get('/.well-known/openid-configuration', () => {
      const [cluster] = view.list('Cluster');
      return openIdConfiguration(cluster?.spec.serviceAccounts?.issuer ?? DEFAULT_ISSUER);
    });
    app.get('/openid/v1/jwks', (_request, reply) => reply.type('application/jwk-set+json').send(keySet));
  };
}
