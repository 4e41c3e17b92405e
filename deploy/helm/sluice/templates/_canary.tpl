{{- define "sluice.canary" -}}
canary:
  maxUnavailable: 0
  maxSurge: 25%
  stableService: {{ .Release.Name }}-gateway
  canaryService: {{ .Release.Name }}-gateway-canary
  {{- if .Values.canary.byIngress }}
  trafficRouting:
    nginx: { stableIngress: {{ .Release.Name }}-gateway }
  {{- end }}
  # From the first step on; where it fails, the release is taken back without anybody's doing.
  analysis:
    startingStep: 1
    templates: [{ templateName: {{ .Release.Name }}-gateway-canary }]
    args:
      - name: pod-template-hash
        valueFrom: { podTemplateHashValue: Latest }
  steps:
    {{- range $weight := list 5 25 50 }}
    - setWeight: {{ $weight }}
    - pause: { duration: {{ $.Values.canary.stepSeconds }}s }
    {{- end }}
    - setWeight: 100
{{- end }}
