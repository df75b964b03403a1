/** The answers of `/plumbline/v1`: what the CLI and the dashboard show. */
import type {
  Condition,
  Event,
  KubeObject,
  RevisionRecord,
  SourcePin,
  Unstructured,
} from '../../contracts/objects/index.ts';
import type { Diagnostic } from '../core/manifests/types.ts';
import type { PlacementExplanation } from '../core/scheduling/explain.ts';
import type { NodeMetrics, PodMetrics } from '../core/metrics/shapes.ts';
import type { ObjectReport } from '../core/revisions/health.ts';
import type { ServiceTrace } from '../core/services/trace.ts';

export type { RebalanceReport } from '../controllers/descheduling/rebalance.ts';
export type { NetCheckReport } from '../core/services/net-check.ts';

export interface ControlPlaneInfo {
  readonly version: string;
  readonly pid: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly home: string;
  /** What is not as it should be for as long as this control plane runs as it does. */
  readonly warnings: readonly string[];
  /** What came in over webhooks since the start; absent where nobody listens for them. */
  readonly webhook?: {
    readonly url: string;
    readonly accepted: number;
    readonly repeated: number;
    readonly refused: number;
    readonly lastRefusal?: string;
  };
}

export interface NodeReport {
  readonly name: string;
  readonly address: string;
  readonly ready: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly unschedulable: boolean;
  /** How far a drain is; absent where the node is not drained. */
  readonly drain?: string;
  readonly pods: number;
}

export interface StatusReport {
  readonly source: {
    readonly name: string;
    readonly url: string;
    /** Absent where tags are followed. */
    readonly branch?: string;
    /** `branch main`, `tag v1.2.3`, `tags in "^1.2"`. */
    readonly follows: string;
    /** The commit that is there now; absent when nobody could tell, with the reason in `headError`. */
    readonly head?: string;
    readonly headError?: string;
    readonly observedRevision?: string;
    readonly appliedRevision?: string;
    /** Record of the newest revision seen. */
    readonly newest?: RevisionRecord;
    readonly conditions: readonly Condition[];
    /** What is in no manifest any more and stays, each with why. */
    readonly kept?: readonly string[];
    /** Other repositories that Apps of the revision in force are of. */
    readonly sources?: readonly SourcePin[];
  };
  /** The branch's newest revision is the one in force. */
  readonly synced: boolean;
  /** Everything in the applied revision is healthy. */
  readonly healthy: boolean;
  readonly objects: readonly ObjectReport[];
  readonly nodes: readonly NodeReport[];
  /** One sentence for each thing that is not as it should be; empty when synced and healthy. */
  readonly missing: readonly string[];
  readonly controlPlane: ControlPlaneInfo;
}

export interface HistoryReport {
  readonly source: string;
  readonly appliedRevision?: string;
  readonly history: readonly RevisionRecord[];
}

export interface PlanReport {
  readonly revision: string;
  /** Errors that refuse the revision, and warnings. */
  readonly diagnostics: readonly Diagnostic[];
  readonly refused: boolean;
  /** In the format that was asked for, without values of Secrets; absent when the revision does not validate. */
  readonly plan?: string;
}

export interface ExplainedPod {
  readonly name: string;
  readonly namespace: string;
  readonly phase: string;
  readonly node?: string;
  /** Why it is not ready, in the runtime's or scheduler's words. */
  readonly problem?: string;
  readonly containers: readonly {
    readonly name: string;
    readonly ready: boolean;
    readonly restarts: number;
    readonly state: string;
    readonly message?: string;
  }[];
  /** NetworkPolicies that select it, and what of its connections they close but for their rules. */
  readonly policies?: readonly { readonly name: string; readonly types: readonly ('Ingress' | 'Egress')[] }[];
  /** Why it is on its node, or on none. */
  readonly placement?: PlacementExplanation;
  /** Last lines of the container that fails. */
  readonly log?: { readonly container: string; readonly previous: boolean; readonly lines: readonly string[] };
}

/** What a node has in force for a Service. */
export interface ServiceOnNode {
  readonly node: string;
  readonly inForce: boolean;
  /** Where connections go from there, or why its rules are not the newest. */
  readonly says: string;
}

/** The way of a packet to a Service. */
export interface ExplainedService extends ServiceTrace {
  /** Empty for a Service that has no rules. */
  readonly nodes: readonly ServiceOnNode[];
  /** That were not asked. */
  readonly moreNodes: number;
  /** Who answers for each address of its load balancer, of the nodes that were asked. */
  readonly balancers: readonly { readonly address: string; readonly heldBy: readonly string[] }[];
}

/** One chain from the commit to the running thing; `broken` names the first link that does not hold. */
export interface ExplainReport {
  readonly object: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly found: boolean;
  readonly commit?: {
    readonly revision: string;
    readonly subject: string;
    readonly author: string;
    readonly outcome: string;
    readonly message?: string;
  };
  /** `file:line`. */
  readonly origin?: string;
  readonly health?: ObjectReport;
  readonly owners: readonly string[];
  readonly conditions: readonly Condition[];
  readonly children: readonly {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly summary: string;
  }[];
  readonly pods: readonly ExplainedPod[];
  readonly node?: NodeReport;
  /** Of a Service. */
  readonly service?: ExplainedService;
  readonly events: readonly Pick<Event, 'type' | 'reason' | 'message' | 'count' | 'lastTimestamp'>[];
  /**
   * How many there are beyond those above, of which the pods with a problem, the warnings and the newest events were
   * chosen.
   */
  readonly more: { readonly pods: number; readonly events: number };
  readonly broken?: string;
}

/** Which commit made an object what it is, by way of the manifest of its last owner. */
export interface BlameReport {
  readonly object: ExplainReport['object'];
  readonly owners: readonly string[];
  /** `Deployment web`. */
  readonly manifestOf: string;
  readonly commit: {
    readonly revision: string;
    readonly subject: string;
    readonly author: string;
    readonly committedAt: string;
  };
  readonly origin: { readonly file: string; readonly line: number };
  /** `older`: more commits than are looked at did not change it; the commit is the last that was looked at. */
  readonly change: 'added' | 'changed' | 'older';
}

/** As `kubectl get -o json` shows many objects. */
export interface ObjectList {
  readonly apiVersion: 'v1';
  readonly kind: 'List';
  readonly items: readonly KubeObject[];
}

/** The same of objects of a custom kind. */
export interface CustomObjectList {
  readonly apiVersion: 'v1';
  readonly kind: 'List';
  readonly items: readonly Unstructured[];
}

type MetricsVersion = 'metrics.k8s.io/v1beta1';
export type NodeMetricsObject = NodeMetrics & { readonly apiVersion: MetricsVersion; readonly kind: 'NodeMetrics' };
export type PodMetricsObject = PodMetrics & { readonly apiVersion: MetricsVersion; readonly kind: 'PodMetrics' };

/** As metrics-server lists them. */
export interface MetricsList<Item extends NodeMetricsObject | PodMetricsObject> {
  readonly apiVersion: MetricsVersion;
  readonly kind: `${Item['kind']}List`;
  readonly metadata: Readonly<Record<string, never>>;
  readonly items: readonly Item[];
  /** What there is no sample of, and why; Kubernetes has no such field. */
  readonly missing: readonly { readonly namespace?: string; readonly name: string; readonly reason: string }[];
}

/** Kubernetes' Status object, the body of every answer that is not 2xx. */
export interface ErrorStatus {
  readonly apiVersion: 'v1';
  readonly kind: 'Status';
  readonly status: 'Failure';
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}
