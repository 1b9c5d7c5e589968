{{- define "isthmus.agentToml" -}}
cluster = {{ .Values.cluster | toJson }}
clusterset = {{ .Values.clusterset | toJson }}
{{- with .Values.network }}
network = {{ toJson . }}
{{- end }}
{{- with .Values.region }}
region = {{ toJson . }}
{{- end }}
{{- with .Values.zone }}
zone = {{ toJson . }}
{{- end }}
{{- with .Values.trustDomain }}
trust_domain = {{ toJson . }}
{{- end }}
{{- with .Values.agent.ipFamilies }}
ip_families = {{ toJson . }}
{{- end }}
data_dir = "/var/lib/isthmus/agent"

[join]
servers = {{ include "isthmus.servers" . }}
token_file = "/etc/isthmus/join/token"

[source.kubernetes]
gateway_service = "isthmus-gateway"
write = {{ .Values.agent.write }}

[control]
listen = "{{ .Values.listenAddress }}:15012"
gateway_accounts = ["{{ .Release.Namespace }}/isthmus-gateway"]

[gateway]
egress_ports = {{ .Values.agent.egressPorts | toJson }}

[dns]
listen = "{{ .Values.listenAddress }}:15053"
upstream = {{ toJson .Values.dns.upstream }}

[http]
listen = "{{ .Values.listenAddress }}:15014"
{{- range .Values.agent.gateways }}

[[gateways]]
address = {{ .address | toJson }}
{{- with .zone }}
zone = {{ toJson . }}
{{- end }}
{{- with .weight }}
weight = {{ . }}
{{- end }}
{{- end }}
{{- end }}
