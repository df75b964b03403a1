/** The files that `plumb init` writes: a Cluster with its defaults and one small app. */

export const FIRST_FILES: Readonly<Record<string, string>> = {
  'plumbline.yaml': `# The settings of this cluster. Everything left out has a default; see \`plumb get clusters -o yaml\`.
apiVersion: plumbline.dev/v1alpha1
kind: Cluster
metadata:
  name: cluster
spec:
  network:
    podCIDR: 10.244.0.0/16
    serviceCIDR: 10.96.0.0/16
  sync:
    # A commit that would delete more than this share of all objects is refused.
`,
  'apps/hello.yaml': `apiVersion: v1
kind: Namespace
metadata:
  name: hello
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello
  namespace: hello
spec:
  replicas: 2
  selector:
    matchLabels:
      app: hello
  template:
    metadata:
      labels:
        app: hello
    spec:
      containers:
        - name: web
          image: docker.io/library/nginx:1.27
          ports:
            - name: http
              containerPort: 80
          readinessProbe:
            httpGet:
              path: /
              port: http
            periodSeconds: 2
---
apiVersion: v1
kind: Service
metadata:
  name: hello
  namespace: hello
spec:
  type: NodePort
  selector:
    app: hello
  ports:
    - port: 80
      targetPort: http
      nodePort: 30080
`,
  'README.md': `# What runs on this cluster

Every file ending in .yaml is a Kubernetes manifest. What is on the branch is what runs.

    plumb check                          # is it valid
    plumb plan                           # what would change
    git commit -am "..." && git push     # change it
    plumb status --wait                  # until it runs
    git revert HEAD && git push          # take it back

Machines are files too: \`plumb node add root@HOST --commit\` writes machines/HOST.yaml.
`,
};
