package cli

import (
	"slices"

	"github.com/spf13/pflag"
)

// option is one setting: where it may come from and what it does. The same
// table makes flags, reads the environment and files, and writes the reference.
type option struct {
	name     string // of the flag
	env      string // variable of the environment
	key      string // in a configuration file
	fallback string // what holds where nothing says otherwise
	meaning  string
	boolean  bool
	short    string // one-letter flag
	secret   bool   // shown as redacted
	project  bool   // may stand in a project's .signalbox.yaml, which is as foreign as the repository
}

// options is every setting there is, in the order of the reference.
var options = []option{
	{name: "server", env: "SIGNALBOX_SERVER", key: "server", fallback: "http://127.0.0.1:8420", meaning: "address of the server"},
	{name: "token-file", env: "SIGNALBOX_TOKEN_FILE", key: "token_file", meaning: "file that holds the token; - is standard input"},
	{name: "ca", env: "SIGNALBOX_CA", key: "ca", meaning: "file of certificates (PEM) that are trusted besides the system's"},
	{name: "output", env: "SIGNALBOX_OUTPUT", key: "output", fallback: "table", meaning: "table, json or yaml", short: "o", project: true},
	{name: "no-color", env: "SIGNALBOX_NO_COLOR", key: "no_color", fallback: "false", meaning: "no colours; also where NO_COLOR is set, TERM is dumb or nobody watches", boolean: true, project: true},
	{name: "zone", env: "SIGNALBOX_ZONE", key: "zone", fallback: "Local", meaning: "time zone in which instants are printed beside UTC, such as Europe/Berlin", project: true},

	{name: "service", env: "SIGNALBOX_SERVICE", key: "service", meaning: "name of the service", project: true},
	{name: "version", env: "SIGNALBOX_VERSION", key: "version", meaning: "version of the service"},
	{name: "digest", env: "SIGNALBOX_DIGEST", key: "digest", meaning: "digest of the artifact, sha256: and 64 hexadecimal digits"},
	{name: "environment", env: "SIGNALBOX_ENVIRONMENT", key: "environment", meaning: "name of the environment"},

	{name: "data", env: "SIGNALBOX_DATA", key: "data", fallback: "signalbox-data", meaning: "the server's data directory"},
	{name: "database", env: "SIGNALBOX_DATABASE", key: "database", meaning: "postgres://… where the embedded database is not wanted", secret: true},
	{name: "database-file", env: "SIGNALBOX_DATABASE_FILE", key: "database_file", meaning: "file that holds the database's address, where it contains a password"},
	{name: "keys-dir", env: "SIGNALBOX_KEYS_DIR", key: "keys_dir", meaning: "directory of the signing keys; keys within the data directory unless set"},
	{name: "listen", env: "SIGNALBOX_LISTEN", key: "listen", fallback: "127.0.0.1:8420", meaning: "address that the server listens on"},
	{name: "tls-cert", env: "SIGNALBOX_TLS_CERT", key: "tls_cert", meaning: "the server's certificate, a file"},
	{name: "tls-key", env: "SIGNALBOX_TLS_KEY", key: "tls_key", meaning: "the certificate's key, a file"},
	{name: "behind-proxy", env: "SIGNALBOX_BEHIND_PROXY", key: "behind_proxy", fallback: "false", meaning: "a proxy in front provides TLS", boolean: true},
	{name: "url", env: "SIGNALBOX_URL", key: "url", meaning: "how people reach the server, for links"},
	{name: "repositories", env: "SIGNALBOX_REPOSITORIES", key: "repositories", meaning: "directories, separated by commas, under which the server may read Git repositories"},
}

func optionOf(name string) option {
	i := slices.IndexFunc(options, func(o option) bool { return o.name == name || o.key == name || o.env == name })
	if i < 0 {
		return option{}
	}
	return options[i]
}

// bind adds the flags of options. Their default stays empty: what holds where
// no flag is given is for the settings to say.
func bind(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		o := optionOf(name)
		usage := o.meaning
		if o.fallback != "" && !o.boolean {
			usage += " (default " + o.fallback + ")"
		}
		if o.boolean {
			flags.BoolP(o.name, o.short, false, usage)
		} else {
			flags.StringP(o.name, o.short, "", usage)
		}
	}
}
