{{- /* The labels of an object; to be called with (dict "root" $ "name" <service>). */ -}}
{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/part-of: sluice
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .pool }}
pool: {{ . }}
{{- end }}
{{- end }}

{{- /* A service's objects are called after it, a pool's workers after the pool too. */ -}}
{{- define "sluice.fullname" -}}
{{ .root.Release.Name }}-{{ .name }}{{ with .pool }}-{{ . }}{{ end }}
{{- end }}

{{- define "sluice.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- /* Settings and secrets of a container; `settings` is the service's own, which win. */ -}}
{{- define "sluice.env" -}}
{{- $settings := mustMergeOverwrite (dict "NODE_ENV" "production" "SLUICE_METRICS_HOST" "0.0.0.0") .root.Values.settings .settings -}}
{{- if and .root.Values.pooler.enabled (hasKey .root.Values.services .name) }}
{{- $settings = merge $settings (dict "SLUICE_DATABASE_POOLING" .root.Values.pooler.pooling) }}
{{- end }}
{{- range $name := keys $settings | sortAlpha }}
- name: {{ $name }}
  value: {{ get $settings $name | toString | quote }}
{{- end }}
- name: SLUICE_{{ upper .name }}_DRAIN_SECONDS
  value: {{ .drainSeconds | quote }}
- name: SLUICE_{{ upper .name }}_METRICS_PORT
  value: {{ .port | quote }}
- name: SLUICE_{{ upper .name }}_INSTANCE
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
{{- range $name := keys (merge (dict) .secrets .root.Values.secrets.common) | sortAlpha }}
- name: {{ $name }}_FILE
  value: /run/secrets/sluice/{{ $name }}
{{- end }}
{{- end }}

{{- define "sluice.mountsStore" -}}
{{- if and .root.Values.storeClaim (has .name (list "gateway" "worker" "results")) }}yes{{ end -}}
{{- end }}

{{- define "sluice.spread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ $key }}
  maxSkew: 1
  whenUnsatisfiable: {{ $.root.Values.topologySpread.whenUnsatisfiable }}
  labelSelector:
    matchLabels: {{- include "sluice.selector" $ | nindent 6 }}
  # During a change the new pods are spread among themselves.
  matchLabelKeys: [{{ if $.isRollout }}rollouts-pod-template-hash{{ else }}pod-template-hash{{ end }}]
{{- end }}
{{- end }}

{{- /*
A pod template: (dict "root" "name" "port" "settings" "secrets" "resources" "drainSeconds" …), with "pool", "nodeSelector",
"tolerations" and "ports" where there are some.
*/ -}}
{{- define "sluice.pod" -}}
metadata:
  labels: {{- include "sluice.labels" . | nindent 4 }}
spec:
  serviceAccountName: {{ .root.Release.Name }}-{{ .name }}
  # None of the services talks to Kubernetes.
  automountServiceAccountToken: false
  enableServiceLinks: false
  # The sleep before the stop, the drain, the five seconds after which a service ends by itself, and as much again.
  terminationGracePeriodSeconds: {{ add (ternary .root.Values.preStopSeconds 0 (hasKey . "ports")) .drainSeconds 10 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  topologySpreadConstraints: {{- include "sluice.spread" . | trim | nindent 4 }}
  {{- with .nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .name }}
      image: {{ include "sluice.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [{{ .name }}]
      env: {{- include "sluice.env" . | trim | nindent 8 }}
      ports:
        - { name: operations, containerPort: {{ .port }} }
        {{- range $name, $port := .ports }}
        - { name: {{ $name }}, containerPort: {{ $port }} }
        {{- end }}
      startupProbe:
        httpGet: { path: /healthz, port: operations }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /healthz, port: operations }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # Its checks have two seconds each.
      readinessProbe:
        httpGet: { path: /readyz, port: operations }
        periodSeconds: 5
        timeoutSeconds: 4
        failureThreshold: 2
      {{- if .ports }}
      # Proxies hear of its leaving a little later than it does; nobody comes to the others.
      lifecycle:
        preStop: { sleep: { seconds: {{ .root.Values.preStopSeconds }} } }
      {{- end }}
      resources: {{- toYaml .resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: secrets, mountPath: /run/secrets/sluice, readOnly: true }
        - { name: temporary, mountPath: /tmp }
        {{- if include "sluice.mountsStore" . }}
        - { name: results, mountPath: /var/lib/sluice/results }
        {{- end }}
  volumes:
    - name: secrets
      secret:
        secretName: {{ .root.Values.secrets.name }}
        defaultMode: 0440
        items:
          {{- $secrets := merge (dict) .secrets .root.Values.secrets.common }}
          {{- range $name := keys $secrets | sortAlpha }}
          - { key: {{ get $secrets $name }}, path: {{ $name }} }
          {{- end }}
    {{- if include "sluice.mountsStore" . }}
    - name: results
      persistentVolumeClaim: { claimName: {{ .root.Values.storeClaim }} }
    {{- end }}
    - name: temporary
      emptyDir: { sizeLimit: {{ .temporary | default "256Mi" }} }
{{- end }}

{{- define "sluice.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "sluice.fullname" . }}
  labels: {{- include "sluice.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  # One that is not ready must not keep a node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "sluice.selector" . | nindent 6 }}
{{- end }}

{{- /* For Prometheus alone; services find each other by Redis. */ -}}
{{- define "sluice.operations" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "sluice.fullname" . }}-operations
  labels:
    {{- include "sluice.labels" . | nindent 4 }}
    sluice/port: operations
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{- include "sluice.selector" . | nindent 4 }}
  ports:
    - { name: operations, port: {{ .port }}, targetPort: operations }
{{- end }}
