import { GrpcClient } from '../../../nodeagent/adapters/cri/grpc.ts';
import { criImages } from '../../../nodeagent/adapters/cri/cri-images.ts';
import { criRuntime } from '../../../nodeagent/adapters/cri/cri-runtime.ts';
import { memoryRuntime } from '../../../nodeagent/adapters/memory/container-runtime.ts';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { BUSYBOX, startHost } from '../../integration/nodeagent/host.ts';
import { runtimeContract } from './suite.ts';

runtimeContract('memory', async () => ({
  runtime: memoryRuntime(systemClock),
  image: 'any',
  logFolder: '/nowhere',
  close: async () => undefined,
}));

runtimeContract('containerd through CRI', async () => {
  const host = await startHost();
  await host.importImage(BUSYBOX);
  const client = new GrpcClient(host.containerdSocket);
  const runtime = criRuntime({
    client,
    folder: `${host.folder}/commands`,
    run: createRunCommand(),
    clock: systemClock,
  });
  const { signal } = new AbortController();
  await criImages(client, host.containerdSocket, host.folder).ensureSandboxImage(
    (await runtime.health(signal)).sandboxImage,
    signal,
  );
  return { runtime, image: BUSYBOX, logFolder: `${host.folder}/logs`, close: () => host.close() };
});
