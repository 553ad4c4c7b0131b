-- Prosody for one test; {{…}} is filled in by prosody.ts.
run_as_root = true
daemonize = false
pidfile = "{{folder}}/prosody.pid"
data_path = "{{folder}}"
certificates = "{{folder}}"
log = { { levels = { min = "debug" }, to = "console" } }
plugin_paths = {}

interfaces = { "{{host}}" }
c2s_ports = { {{c2s}} }
s2s_ports = { {{s2s}} }
s2s_direct_tls_ports = { {{s2sTls}} }

-- All names come from the DNS server of the test, on loopback.
unbound = {
	resolvconf = false,
	forward = { "{{dns}}" },
	options = { ["do-not-query-localhost:"] = "no" },
}

modules_enabled = {
	"disco", "lastactivity", "offline", "pep", "ping", "roster", "saslauth", "tls", "vcard4", "vcard_legacy", "version",
	{{modules}}
}
modules_disabled = { {{disabled}} }

authentication = "internal_plain"
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = {{secure}}

ssl = {
	certificate = "{{folder}}/cert.pem",
	key = "{{folder}}/key.pem",
	cafile = "{{folder}}/ca.pem",
}

VirtualHost "{{domain}}"
