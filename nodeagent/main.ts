/** The node agent: wiring, nothing else. */
import './adapters/system/small-heap.ts';
import { createHash, randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { errorText } from '../contracts/errors.ts';
import { NODE_PATHS } from '../contracts/agent/places.ts';
import { clusterDomain } from '../contracts/objects/cluster-domain.ts';
import { podCgroups } from './adapters/cgroup/pod-cgroups.ts';
import { createBird } from './adapters/bird/bird.ts';
import { createCniConfigFile } from './adapters/cni/file.ts';
import { wireGuardKey } from './adapters/disk/wireguard-key.ts';
import { createPodNetwork } from './adapters/cni/pod-network.ts';
import { criDisk } from './adapters/cri/cri-disk.ts';
import { criImageFiles } from './adapters/cri/image-files.ts';
import { criImages } from './adapters/cri/cri-images.ts';
import { criRuntime } from './adapters/cri/cri-runtime.ts';
import { criContainerUse } from './adapters/cri/cri-usage.ts';
import { GrpcClient } from './adapters/cri/grpc.ts';
import { assignmentFile } from './adapters/disk/assignment-file.ts';
import { readEnd } from './adapters/disk/descriptors.ts';
import { diskSpace } from './adapters/disk/disk-space.ts';
import { logFiles } from './adapters/disk/log-files.ts';
import { systemMounts } from './adapters/disk/mounts.ts';
import { persistentFolders } from './adapters/disk/persistent-folders.ts';
import { podFiles } from './adapters/disk/pod-files.ts';
import { shareFolders } from './adapters/disk/share-folders.ts';
import { volumeImages } from './adapters/disk/volume-images.ts';
import { staticFiles } from './adapters/disk/static-files.ts';
import { statusFile } from './adapters/disk/status-file.ts';
import { dnsSockets } from './adapters/dns/dns-sockets.ts';
import { createHaproxy } from './adapters/haproxy/haproxy.ts';
import { enableForwarding } from './adapters/ip/forwarding.ts';
import { createNeighbourhood } from './adapters/ip/neighbourhood.ts';
import { createHealthPorts } from './adapters/http/health-ports.ts';
import { createIpRouting } from './adapters/ip/ip-routing.ts';
import type { Family } from '../contracts/ip.ts';
import { createIpvsForwarder } from './adapters/ipvs/ipvs-forwarder.ts';
import { createIptablesForwarder } from './adapters/iptables/iptables-forwarder.ts';
import { createNodePacketFilter, type Forwarders } from './adapters/nft/node-packet-filter.ts';
import { probeRunner } from './adapters/probe/probe-runner.ts';
import { createReach } from './adapters/probe/reach.ts';
import { createReachWithin } from './adapters/probe/reach-within.ts';
import { createFollowCommand } from './adapters/process/follow-command.ts';
import { createRunCommand } from './adapters/process/run-command.ts';
import { systemClock } from './adapters/system/clock.ts';
import { descriptorLines, jsonLog } from './adapters/system/json-log.ts';
import { isGoingDown } from './adapters/system/going-down.ts';
import { headroomMeter } from './adapters/system/headroom.ts';
import { machineFacts } from './adapters/system/machine-facts.ts';
import { machineUse } from './adapters/system/machine-use.ts';
import { hasAppArmor } from './adapters/system/app-armor.ts';
import { thermalPaths } from './adapters/system/thermal-paths.ts';
import type { NetworkState } from './core/assignment.ts';
import { heldBefore } from './core/routes/want.ts';
import { readProbes } from './core/wire/network-probes.ts';
import { cgroupParent } from './core/pod/identity.ts';
import { foreignPodRanges } from './core/data-plane/network.ts';
import { persistentRoot, sharesRoot, type NodeFolders } from './core/pod/layout.ts';
import { startAddressKeeper } from './loops/address-keeper.ts';
import { startApi } from './loops/api/server.ts';
import { openAssignment } from './loops/assignment-store.ts';
import { startDiskKeeper } from './loops/disk-keeper.ts';
import { withRoomToEnd } from './loops/disk-reserve.ts';
import { createEvictor } from './loops/evictor.ts';
import { startDnsServer } from './loops/dns-server.ts';
import { createImagePuller } from './loops/image-puller.ts';
import { startImageReporter } from './loops/image-reporter.ts';
import { createLimiter } from './loops/limiter.ts';
import { createUserIdHolder } from './loops/user-ids.ts';
import { createLocalPods } from './loops/local-pods.ts';
import { startLogRotation } from './loops/log-rotation.ts';
import { startAddressHolder } from './loops/address-holder.ts';
import { startBgpSpeaker } from './loops/bgp-speaker.ts';
import { joinHeld } from './loops/held-addresses.ts';
import { startHealthPorts } from './loops/health-ports-sync.ts';
import { startNetworkSync } from './loops/network-sync.ts';
import { startNodeReporter } from './loops/node-reporter.ts';
import { startPodManager } from './loops/pod-manager.ts';
import { createPolicyGate, OPEN_GATE } from './loops/policy-gate.ts';
import { startPressureKeeper } from './loops/pressure-keeper.ts';
import { createProber } from './loops/prober.ts';
import { createProbing } from './loops/probing.ts';
import { startProxySync } from './loops/proxy-sync.ts';
import { createStatusHub } from './loops/status-hub.ts';
import { recallStatuses, startStatusKeeper } from './loops/status-keeper.ts';
import { startStaticPods } from './loops/static-pods.ts';
import { startStorageKeeper } from './loops/storage-keeper.ts';
import { startShareTender } from './loops/share-tender.ts';
import { createVersionInForce } from './loops/version-in-force.ts';
import { startVolumeGrower } from './loops/volume-grower.ts';
import { startVolumeRemover } from './loops/volume-remover.ts';
import { startVolumeRoom } from './loops/volume-room.ts';
import { NO_NETWORK } from './ports/pod-network.ts';

const VERSION = '0.1.0';
/** Sandboxes being made or stopped at once, for each processor. */
const SANDBOXES_PER_CPU = 4;
/** For the service manager to say whether the machine goes down. */
const GOING_DOWN_MS = 2_000;
const HASH_CHUNK_BYTES = 256 * 1024;
const STDERR = 2;

const USAGE = `plumbline node agent ${VERSION}
  --containerd SOCKET  container runtime (default /run/containerd/containerd.sock)
  --root DIR           put in front of the agent's folders (default none)
  --no-network         leave Services, routes and the CNI configuration alone
  --debug              log more
  --reach              be no agent: try the probes that are read from the input, and print what answered
  --version            print the version and exit
`;

interface Options {
  readonly containerd: string;
  readonly root: string;
  readonly network: boolean;
  readonly debug: boolean;
}

async function runAgent(options: Options, stop: AbortSignal): Promise<void> {
  const startedAt = new Date().toISOString();
  const log = jsonLog(descriptorLines(STDERR), options.debug ? 'debug' : 'info');
  const clock = systemClock;
  const closing = new AbortController();
  const folders: NodeFolders = {
    state: options.root + NODE_PATHS.state,
    run: options.root + NODE_PATHS.run,
    podLogs: options.root + NODE_PATHS.podLogs,
  };
  const run = createRunCommand();

  const client = new GrpcClient(options.containerd);
  const runtime = criRuntime({ client, folder: `${folders.run}/commands`, run, clock });
  const images = criImages(client, options.containerd, folders.run);
  const mounts = systemMounts(run, clock);
  const persistent = persistentFolders(persistentRoot(folders), mounts, volumeImages(run, mounts));
  const files = podFiles(folders, mounts, persistent, criImageFiles(client));
  const cgroups = podCgroups();
  await files.prepare(closing.signal);
  if (options.network) await enableForwarding();

  const assignmentDisk = assignmentFile(folders.state, folders.run);
  const assignment = await openAssignment(assignmentDisk, log);
  const machine = machineFacts(folders.state);
  const { bootID, hugePages } = await machine.read();
  const statusDisk = statusFile(`${folders.state}/statuses.json`, bootID);
  const hub = createStatusHub(clock);
  const lastStatuses = recallStatuses(await statusDisk.load(), { assignment, hub, clock });
  const localPods = createLocalPods(hub, lastStatuses);
  const probes = probeRunner(runtime, clock);
  const ofKernel = {
    thermalPaths: await thermalPaths(),
    appArmor: await hasAppArmor(),
    hugePageSizes: hugePages.map(({ pageBytes }) => pageBytes),
  };

  const reporter = startNodeReporter({
    assignment,
    runtime,
    images,
    facts: machine,
    hub,
    clock,
    log,
    agentVersion: VERSION,
  });
  await reporter.ready;
  const imageReporter = startImageReporter({ images, hub, clock, log });
  const staticPods = startStaticPods({ files: staticFiles(options.root + NODE_PATHS.staticPods), hub, clock });
  const policies = options.network ? createPolicyGate(assignment, clock) : OPEN_GATE;
  const cni = createCniConfigFile({
    run,
    path: options.root + NODE_PATHS.cniConfig,
    dataDir: `${folders.state}/cni`,
  });
  const podNetwork = options.network ? createPodNetwork({ run, config: cni, readEnd }) : undefined;
  const space = diskSpace(folders, criDisk(client));
  const pods = startPodManager({
    assignment,
    runtime: withRoomToEnd(runtime, { space, clock, log }),
    images,
    files,
    cgroups,
    probes,
    hub,
    clock,
    log,
    lastStatuses,
    policies,
    network: podNetwork ?? NO_NETWORK,
    puller: createImagePuller(images, clock, closing.signal, () => imageReporter.changed()),
    sandboxes: createLimiter(SANDBOXES_PER_CPU * availableParallelism()),
    userIds: createUserIdHolder(runtime),
    facts: () => ({
      folders,
      ...ofKernel,
      hostIP: reporter.internalIP(),
      hostIPv6: reporter.internalIPv6(),
      systemdCgroup: reporter.systemdCgroup(),
      recursiveReadOnly: reporter.recursiveReadOnly(),
      strictGroups: reporter.strictGroups(),
      userNamespaces: reporter.userNamespaces(),
      clusterDns: options.network,
      clusterDomain: clusterDomain(assignment.current().list('Cluster')[0]),
      foreignRanges: options.network ? foreignPodRanges(assignment.current()) : undefined,
    }),
    needRuntime: () => reporter.needRuntime(),
    pressures: () => reporter.pressures(),
    makeProber: (onChange) =>
      createProber({
        runner: probes,
        clock,
        random: Math.random,
        onChange,
        onEvent: (pod, event) => hub.tellEvent(pod, event),
      }),
  });
  const storage = startStorageKeeper({ space, assignment, pods, hub, clock, log });
  const evictor = createEvictor(pods, clock);
  const room = startPressureKeeper({
    meter: headroomMeter({
      containers: (signal) => criContainerUse(client, signal),
      processesOf: (uid) => cgroups.processesIn(cgroupParent(uid, reporter.systemdCgroup())),
    }),
    assignment,
    pods,
    evictor,
    hub,
    clock,
    log,
    onState: (pressure, state) => reporter.notePressure(pressure, state),
  });
  const disks = startDiskKeeper({
    space,
    images,
    assignment,
    pods,
    evictor,
    hub,
    clock,
    log,
    sandboxImage: () => reporter.sandboxImage(),
    onState: (state) => reporter.notePressure('DiskPressure', state),
    onImages: () => imageReporter.changed(),
  });
  const remover = startVolumeRemover({
    assignment,
    folders: persistent,
    clock,
    log,
    onGone: (names) => reporter.noteGoneVolumes(names),
  });
  const grower = startVolumeGrower({
    assignment,
    folders: persistent,
    clock,
    log,
    onGrowth: (growing) => reporter.noteGrowth(growing),
  });
  const volumeRoom = startVolumeRoom({
    assignment,
    folders: persistent,
    clock,
    log,
    onRoom: (bytes) => reporter.noteVolumeRoom(bytes),
  });
  const tender = startShareTender({
    assignment,
    shares: shareFolders(sharesRoot(folders), mounts),
    clock,
    log,
    onTended: (volumes) => reporter.noteTended(volumes),
  });
  const keeper = startStatusKeeper({ hub, disk: statusDisk, clock, log });
  const logs = logFiles();
  const rotation = startLogRotation({ runtime, logs, clock, log, running: () => pods.running() });
  const addresses = podNetwork && startAddressKeeper({ network: podNetwork, runtime, clock, log });
  const routing = createIpRouting({ run, key: () => wireGuardKey(`${folders.state}/wireguard`) });
  const holder = options.network
    ? startAddressHolder({
        before: await routing.inspect([], closing.signal).then(
          ({ routes }) => heldBefore(routes),
          (error: unknown) => {
            log.warn('cannot tell which addresses the machine has', { reason: errorText(error) });
            return [];
          },
        ),
        assignment,
        neighbourhood: createNeighbourhood(run),
        clock,
        log: (level, message, fields) => log[level](message, fields),
      })
    : undefined;
  let networkState: NetworkState = { version: null, error: null };
  const inForce = createVersionInForce(assignment, (state) => reporter.noteNetwork(state));
  const haproxy = options.network ? await createHaproxy({ run, clock, folder: `${folders.run}/proxy` }) : undefined;
  const speaker = options.network
    ? startBgpSpeaker({
        assignment,
        pods: localPods,
        daemon: createBird({ run, clock, folder: `${folders.run}/bgp` }),
        clock,
        log,
        onState: (state) => reporter.noteBgp(state),
        onEvent: (event) => hub.tellNodeEvent(event),
      })
    : undefined;
  const forwardersOf = (family: Family): Forwarders => ({
    iptables: createIptablesForwarder({ family, run, clock }),
    ipvs: createIpvsForwarder({ family, run, clock }),
  });
  const network = options.network
    ? startNetworkSync({
        assignment,
        clock,
        pods: localPods,
        filter: createNodePacketFilter({
          run,
          follow: createFollowCommand(),
          folder: folders.run,
          forwarders: forwardersOf('IPv4'),
        }),
        filterIPv6: createNodePacketFilter({
          family: 'IPv6',
          run,
          follow: createFollowCommand(),
          folder: folders.run,
          forwarders: forwardersOf('IPv6'),
        }),
        routing,
        proxyUser: haproxy?.user,
        held: joinHeld([holder, speaker].filter((one) => one !== undefined)),
        cni,
        log: (level, message, fields) => log[level](message, fields),
        onState: (state) => {
          networkState = state;
          inForce.noteNetwork(state);
        },
        onWireGuardKey: (publicKey) => reporter.noteWireGuardKey(publicKey),
        onGuards: (guards) => policies.inForce(guards),
        onEvent: (event) => hub.tellNodeEvent(event),
      })
    : undefined;

  const healthPorts = options.network
    ? startHealthPorts({
        assignment,
        pods: localPods,
        ports: createHealthPorts(),
        clock,
        log: (level, message, fields) => log[level](message, fields),
      })
    : undefined;

  const dns = options.network
    ? startDnsServer({
        assignment,
        pods: localPods,
        sockets: dnsSockets,
        clock,
        log,
        ofHost: () => files.ofHost(),
        randomId: () => randomInt(65_536),
        onEvent: (event) => hub.tellNodeEvent(event),
      })
    : undefined;

  const proxy = haproxy
    ? startProxySync({
        assignment,
        pods: localPods,
        proxy: haproxy,
        clock,
        log,
        onState: (state) => reporter.noteProxy(state),
        onEvent: (event) => hub.tellNodeEvent(event),
        onEndpoints: (version) => inForce.noteProxy(version),
      })
    : undefined;

  const api = await startApi({
    socket: options.root + NODE_PATHS.socket,
    assignment,
    pods,
    hub,
    runtime,
    logs,
    folders,
    clock,
    log,
    volumes: persistent,
    meter: { containers: (signal) => criContainerUse(client, signal), machine: machineUse },
    network: holder && {
      pods: localPods,
      reach: createReach(dnsSockets, () => randomInt(65_536)),
      reachWithin: createReachWithin(run, [process.execPath, process.argv[1] ?? '', '--reach']),
      state: () => networkState,
      held: () => holder.current(),
    },
    metrics: dns && (() => dns.metrics()),
    info: {
      agentVersion: VERSION,
      pid: process.pid,
      startedAt,
      bundleHash: await fileHash(process.argv[1] ?? ''),
      runtimeHash: await fileHash(process.execPath),
    },
  });
  log.info('agent runs', {
    version: VERSION,
    socket: options.root + NODE_PATHS.socket,
    assignment: assignment.acceptedVersion,
  });

  if (!stop.aborted)
    await new Promise<void>((resolve) => {
      stop.addEventListener('abort', () => resolve(), { once: true });
    });

  using soon = clock.deadline(GOING_DOWN_MS, closing.signal);
  if (await isGoingDown(run, soon.signal)) {
    log.info('the machine goes down; pods end');
    reporter.noteShutdown();
    await Promise.all([speaker?.leave(), pods.shutDown()]);
  } else log.info('agent stops; containers stay as they are');
  await api.close();
  await Promise.all([
    pods.close(),
    network?.close(),
    holder?.close(),
    speaker?.close(),
    healthPorts?.close(),
    dns?.close(),
    proxy?.close(),
    addresses?.close(),
    rotation.close(),
    reporter.close(),
    imageReporter.close(),
    staticPods.close(),
    disks.close(),
    room.close(),
    storage.close(),
    remover.close(),
    grower.close(),
    tender.close(),
    volumeRoom.close(),
  ]);
  await keeper.close();
  closing.abort();
  await assignmentDisk.close();
  await runtime.close();
}

/** Where a node agent started this, in the network of a pod: probes come from the input, results go to the output. */
async function tryProbes(): Promise<void> {
  const probes = readProbes(Buffer.concat(await process.stdin.toArray()).toString('utf8'));
  const probing = createProbing(
    createReach(dnsSockets, () => randomInt(65_536)),
    systemClock,
  );
  const results = await probing(probes, new AbortController().signal);
  process.stdout.write(JSON.stringify({ results }));
}

/**
 * SHA-256 of a file, hex. One buffer, not a stream: a runtime's hundred megabytes in stream chunks stay in the
 * allocator for good.
 */
async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(HASH_CHUNK_BYTES);
  const file = await open(path, 'r');
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      containerd: { type: 'string', default: '/run/containerd/containerd.sock' },
      root: { type: 'string', default: '' },
      'no-network': { type: 'boolean', default: false },
      debug: { type: 'boolean', default: false },
      reach: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  if (values.version) return void process.stdout.write(`${VERSION}\n`);
  if (values.reach) return await tryProbes();
  // One signal ends many waits here; their number is no leak.
  setMaxListeners(0);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  await runAgent(
    { containerd: values.containerd, root: values.root, network: !values['no-network'], debug: values.debug },
    stop.signal,
  );
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(
      `${JSON.stringify({ at: new Date().toISOString(), level: 'error', message: errorText(error) })}\n`,
    );
    process.exit(error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS') ? 2 : 1);
  },
);
