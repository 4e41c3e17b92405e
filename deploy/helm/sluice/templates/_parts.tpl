{{- /*
What the optional parts have in common, whose images are not Sluice's: (dict "root" $ "name" <part>). No token of Kubernetes, no root,
nothing of its own file system is written.
*/ -}}
{{- define "sluice.part.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "sluice.part.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- /* The labels of an optional part are not those of Sluice's own pods, which have probes and settings that it has not. */ -}}
{{- define "sluice.part.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- /* More than the default policy allows: PostgreSQL, and the result store where `store` is set. */ -}}
{{- define "sluice.part.policy" -}}
{{- if .root.Values.networkPolicies.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "sluice.fullname" . }}
  labels: {{- include "sluice.part.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "sluice.selector" . | nindent 6 }}
  policyTypes: [{{ if .port }}Ingress, {{ end }}Egress]
  {{- with .port }}
  ingress:
    - from: [{ podSelector: { matchLabels: { app.kubernetes.io/instance: {{ $.root.Release.Name }}, app.kubernetes.io/part-of: sluice } } }]
      ports: [{ protocol: TCP, port: {{ . }} }]
  {{- end }}
  egress:
    {{- include "sluice.egress" .root.Values.networkPolicies.postgres | trim | nindent 4 }}
    {{- if .store }}{{ include "sluice.public" .root.Values.networkPolicies.store | trim | nindent 4 }}{{ end }}
{{- end }}
{{- end }}
