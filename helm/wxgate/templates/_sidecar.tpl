{{/*
The sidecar for a Deployment of your own chart, which has wxgate as a dependency with `mode: sidecar`:

    spec:
      initContainers:
        {{- include "wxgate.sidecar" (dict "wxgate" .Subcharts.wxgate "part" "initContainers") | nindent 8 }}
      containers:
        - name: app            # listens on 127.0.0.1 only
        {{- include "wxgate.sidecar" (dict "wxgate" .Subcharts.wxgate "part" "containers") | nindent 8 }}
      volumes:
        {{- include "wxgate.sidecar" (dict "wxgate" .Subcharts.wxgate "part" "volumes") | nindent 8 }}

Of the two parts with containers one is empty: a native sidecar is an init container (Kubernetes 1.29), a plain one a container.
*/}}
{{- define "wxgate.sidecar" -}}
{{- $wxgate := .wxgate -}}
{{- if not $wxgate -}}
{{- fail "wxgate.sidecar: pass (dict \"wxgate\" .Subcharts.wxgate \"part\" …); wxgate must be a dependency of this chart" -}}
{{- end -}}
{{- if ne $wxgate.Values.mode "sidecar" -}}
{{- fail "wxgate.sidecar: set wxgate.mode to sidecar, or it makes a Deployment of its own as well" -}}
{{- end -}}
{{- include "wxgate.validate" $wxgate -}}
{{- if eq .part "initContainers" -}}
{{- if $wxgate.Values.sidecar.native -}}
- {{- include "wxgate.container" $wxgate | nindent 2 }}
  restartPolicy: Always
{{- end -}}
{{- else if eq .part "containers" -}}
{{- if not $wxgate.Values.sidecar.native -}}
- {{- include "wxgate.container" $wxgate | nindent 2 }}
{{- end -}}
{{- else if eq .part "volumes" -}}
{{- include "wxgate.volumes" $wxgate -}}
{{- else if eq .part "annotations" -}}
{{- include "wxgate.checksums" $wxgate -}}
{{- else -}}
{{- fail (printf "wxgate.sidecar: there is no part %q: initContainers, containers, volumes, annotations" .part) -}}
{{- end -}}
{{- end -}}
