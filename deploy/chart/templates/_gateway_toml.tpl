{{- define "isthmus.gatewayToml" -}}
agent = "https://isthmus-agent.{{ .Release.Namespace }}.svc:15012"
agent_ca = "/etc/isthmus/ca/ca.pem"
agent_token_file = "/var/run/secrets/tokens/isthmus-agent"
data_dir = "/var/lib/isthmus/gateway"
listen = "{{ .Values.listenAddress }}:15443"
http_listen = "{{ .Values.listenAddress }}:15020"

[limits]
max_connections = {{ int .Values.gateway.maxConnections }}
{{- end }}
