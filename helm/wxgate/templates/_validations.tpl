{{/* What a schema cannot say, each with what to do. Included by every template that makes or describes a container. */}}
{{- define "wxgate.validate" -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is not set: build deploy/Dockerfile, push it, and name it here" -}}
{{- end -}}
{{- if and .Values.config.inline .Values.config.existingConfigMap -}}
{{- fail "config.inline and config.existingConfigMap are both set: the gateway reads one file, keep one of them" -}}
{{- end -}}
{{- if not (or .Values.config.inline .Values.config.existingConfigMap) -}}
{{- fail "there is no configuration: put gateway.toml into config.inline (--set-file config.inline=gateway.toml), or name a ConfigMap in config.existingConfigMap" -}}
{{- end -}}
{{- if not (or .Values.secrets.env .Values.secrets.files .Values.secrets.csi .Values.extraEnv) -}}
{{- fail "there are no secrets: the AppSecret of a Mini Program, the admin token and, with Redis, the signing and store keys belong in a Secret; name it in secrets.env (for ${NAME} in gateway.toml), secrets.files (for the *_file keys) or secrets.csi" -}}
{{- end -}}
{{- with .Values.config.inline -}}
{{- if not (regexMatch (printf "(?m)^[^#]*:%d\"" (int $.Values.ports.http)) .) -}}
{{- fail (printf "config.inline does not listen on port %d, where the Service sends requests: set [server] listen = [\"0.0.0.0:%d\"], or ports.http" (int $.Values.ports.http) (int $.Values.ports.http)) -}}
{{- end -}}
{{- if not (regexMatch (printf "(?m)^[^#]*:%d\"" (int $.Values.ports.admin)) .) -}}
{{- fail (printf "config.inline has no admin listener on port %d, where the kubelet looks: set [admin] listen = \"0.0.0.0:%d\" with a token, or ports.admin" (int $.Values.ports.admin) (int $.Values.ports.admin)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
