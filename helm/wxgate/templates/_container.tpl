{{/* The container of the gateway, the same in both modes. */}}
{{- define "wxgate.container" -}}
name: wxgate
image: {{ include "wxgate.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: ["run", "--config", "/etc/wxgate/config/{{ .Values.config.key }}"]
ports:
  - {name: wxgate, containerPort: {{ .Values.ports.http }}, protocol: TCP}
  - {name: wxgate-admin, containerPort: {{ .Values.ports.admin }}, protocol: TCP}
{{- with .Values.secrets.env }}
envFrom:
  {{- range . }}
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
{{- end }}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
# Ready includes Redis and the upstreams; alive is the process alone, so that no outage of Redis restarts gateways.
startupProbe:
  httpGet: {path: /livez, port: wxgate-admin}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: wxgate-admin}
  periodSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /livez, port: wxgate-admin}
  periodSeconds: 10
  failureThreshold: 3
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  # Whole folders and no subPath: only those follow a change.
  - {name: wxgate-config, mountPath: /etc/wxgate/config, readOnly: true}
  {{- range .Values.secrets.files }}
  - {name: {{ printf "wxgate-secret-%s" . | trunc 63 | trimSuffix "-" }}, mountPath: {{ printf "/etc/wxgate/secrets/%s" . | quote }}, readOnly: true}
  {{- end }}
  {{- range .Values.secrets.csi }}
  - {name: {{ printf "wxgate-csi-%s" . | trunc 63 | trimSuffix "-" }}, mountPath: {{ printf "/etc/wxgate/secrets/%s" . | quote }}, readOnly: true}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The volumes that it mounts. */}}
{{- define "wxgate.volumes" -}}
- name: wxgate-config
  configMap: {name: {{ include "wxgate.configMapName" . | quote }}}
{{- range .Values.secrets.files }}
- name: {{ printf "wxgate-secret-%s" . | trunc 63 | trimSuffix "-" }}
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- range .Values.secrets.csi }}
- name: {{ printf "wxgate-csi-%s" . | trunc 63 | trimSuffix "-" }}
  csi:
    driver: secrets-store.csi.k8s.io
    readOnly: true
    volumeAttributes: {secretProviderClass: {{ . | quote }}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* New pods where the inline configuration changed in a way that a reload cannot take over: a listener, say. */}}
{{- define "wxgate.checksums" -}}
checksum/wxgate-config: {{ .Values.config.inline | sha256sum }}
{{- end -}}
