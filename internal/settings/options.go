// Package settings knows which settings there are and where the value of each
// comes from: flag, environment, files, default.
//
// It leaves what a setting is for to the commands. Its invariant: a file that
// comes with a repository sets nothing that its author must not choose.
package settings

import (
	"slices"

	"github.com/spf13/pflag"
)

// Option is one setting: where it may come from and what it does. The same
// table makes flags, reads the environment and files, and writes the reference.
type Option struct {
	Name     string // of the flag; "" where a secret comes by its variable alone
	Env      string // variable of the environment
	Key      string // in a configuration file; "" like Name
	Fallback string // what holds where nothing says otherwise
	Meaning  string
	Boolean  bool
	Short    string // one-letter flag
	Secret   bool   // shown as redacted
	Project  bool   // may stand in a project's .signalbox.yaml, which is as foreign as the repository
}

// options is every setting there is, in the order of the reference.
var options = []Option{
	{Name: "server", Env: "SIGNALBOX_SERVER", Key: "server", Fallback: "http://127.0.0.1:8420", Meaning: "address of the server"},
	{Name: "token-file", Env: "SIGNALBOX_TOKEN_FILE", Key: "token_file", Meaning: "file that holds the token; - is standard input"},
	{Name: "ca", Env: "SIGNALBOX_CA", Key: "ca", Meaning: "file of certificates (PEM) that are trusted besides the system's"},
	{Name: "receipts", Env: "SIGNALBOX_RECEIPTS", Key: "receipts", Meaning: "directory that keeps the server's receipts, one file each, or off; signalbox/receipts in the user's state directory unless set"},
	{Name: "output", Env: "SIGNALBOX_OUTPUT", Key: "output", Fallback: "table", Meaning: "table, json or yaml", Short: "o", Project: true},
	{Name: "no-color", Env: "SIGNALBOX_NO_COLOR", Key: "no_color", Fallback: "false", Meaning: "no colours; also where NO_COLOR is set, TERM is dumb or nobody watches", Boolean: true, Project: true},
	{Name: "zone", Env: "SIGNALBOX_ZONE", Key: "zone", Fallback: "Local", Meaning: "time zone in which instants are printed beside UTC, such as Europe/Berlin", Project: true},

	{Name: "service", Env: "SIGNALBOX_SERVICE", Key: "service", Meaning: "name of the service", Project: true},
	{Name: "version", Env: "SIGNALBOX_VERSION", Key: "version", Meaning: "version of the service"},
	{Name: "digest", Env: "SIGNALBOX_DIGEST", Key: "digest", Meaning: "digest of the artifact, sha256: and 64 hexadecimal digits"},
	{Name: "environment", Env: "SIGNALBOX_ENVIRONMENT", Key: "environment", Meaning: "name of the environment"},

	{Name: "data", Env: "SIGNALBOX_DATA", Key: "data", Fallback: "signalbox-data", Meaning: "the server's data directory"},
	{Name: "database", Env: "SIGNALBOX_DATABASE", Key: "database", Meaning: "postgres://… where the embedded database is not wanted", Secret: true},
	{Name: "database-file", Env: "SIGNALBOX_DATABASE_FILE", Key: "database_file", Meaning: "file that holds the database's address, where it contains a password"},
	{Name: "keys-dir", Env: "SIGNALBOX_KEYS_DIR", Key: "keys_dir", Meaning: "directory of the signing keys; keys within the data directory unless set"},
	{Name: "journal-key", Env: "SIGNALBOX_JOURNAL_KEY", Key: "journal_key", Meaning: "PKCS#11 URI (RFC 7512) of the token in which the next journal key is made, or of the key that is to be it; a file in the directory of keys unless set; only the build with PKCS#11"},
	{Name: "permit-key", Env: "SIGNALBOX_PERMIT_KEY", Key: "permit_key", Meaning: "the same for the next permit key"},
	{Name: "vault", Env: "SIGNALBOX_VAULT", Key: "vault", Meaning: "where original files are kept: disk, disk:DIRECTORY, database, or s3://BUCKET/PREFIX; unless set, vault within the data directory, or the database where it is PostgreSQL"},
	{Name: "vault-quota", Env: "SIGNALBOX_VAULT_QUOTA", Key: "vault_quota", Meaning: "most bytes of all original files together, such as 50GiB; no bound unless set"},
	{Name: "vault-endpoint", Env: "SIGNALBOX_VAULT_ENDPOINT", Key: "vault_endpoint", Meaning: "address of the S3 service, such as https://s3.example.com; http:// on this machine alone"},
	{Name: "vault-region", Env: "SIGNALBOX_VAULT_REGION", Key: "vault_region", Fallback: "us-east-1", Meaning: "region of the S3 service"},
	{Name: "vault-ca", Env: "SIGNALBOX_VAULT_CA", Key: "vault_ca", Meaning: "file of certificates (PEM) that are trusted besides the system's, for the S3 service"},
	{Name: "vault-keys-file", Env: "SIGNALBOX_VAULT_KEYS_FILE", Key: "vault_keys_file", Meaning: "file of mode 0600 with the S3 access key in its first line and the secret key in its second"},
	{Env: "SIGNALBOX_VAULT_ACCESS_KEY", Meaning: "the S3 access key, where no file has it", Secret: true},
	{Env: "SIGNALBOX_VAULT_SECRET_KEY", Meaning: "the S3 secret key, where no file has it", Secret: true},
	{Name: "vault-lock", Env: "SIGNALBOX_VAULT_LOCK", Key: "vault_lock", Meaning: "retention lock (S3 Object Lock) on each original, put and read back: governance or compliance; none unless set"},
	{Name: "vault-retention", Env: "SIGNALBOX_VAULT_RETENTION", Key: "vault_retention", Meaning: "how long that lock holds, in days, such as 2555d"},
	{Name: "vault-legal-hold", Env: "SIGNALBOX_VAULT_LEGAL_HOLD", Key: "vault_legal_hold", Fallback: "false", Meaning: "a legal hold on each original, put and read back, until somebody lifts it in the store", Boolean: true},
	{Name: "log-level", Env: "SIGNALBOX_LOG_LEVEL", Key: "log_level", Fallback: "info", Meaning: "what the server logs: debug, info, warn or error; debug has a line for each request"},
	{Name: "drain", Env: "SIGNALBOX_DRAIN", Key: "drain", Fallback: "2s", Meaning: "how long the server, told to stop, still answers while it says that it is not ready; longer than whoever distributes requests takes to notice"},
	{Name: "traces", Env: "SIGNALBOX_TRACES", Key: "traces", Meaning: "address of an OpenTelemetry collector that takes traces by OTLP over HTTP, such as http://127.0.0.1:4318; none unless set"},
	{Name: "listen", Env: "SIGNALBOX_LISTEN", Key: "listen", Fallback: "127.0.0.1:8420", Meaning: "address that the server listens on"},
	{Name: "tls-cert", Env: "SIGNALBOX_TLS_CERT", Key: "tls_cert", Meaning: "the server's certificate, a file"},
	{Name: "tls-key", Env: "SIGNALBOX_TLS_KEY", Key: "tls_key", Meaning: "the certificate's key, a file"},
	{Name: "behind-proxy", Env: "SIGNALBOX_BEHIND_PROXY", Key: "behind_proxy", Fallback: "false", Meaning: "a proxy in front provides TLS", Boolean: true},
	{Name: "url", Env: "SIGNALBOX_URL", Key: "url", Meaning: "how people reach the server, for links"},
	{Name: "repositories", Env: "SIGNALBOX_REPOSITORIES", Key: "repositories", Meaning: "directories, separated by commas, under which the server may read Git repositories"},
	{Name: "mirror-hosts", Env: "SIGNALBOX_MIRROR_HOSTS", Key: "mirror_hosts", Meaning: "hosts, separated by commas, as host or host:port, whose Git repositories the server may mirror, by https and ssh; none unless set"},
	{Name: "mirror-ca", Env: "SIGNALBOX_MIRROR_CA", Key: "mirror_ca", Meaning: "file of certificates (PEM) that mirroring by https trusts instead of the system's"},
	{Name: "mirror-netrc", Env: "SIGNALBOX_MIRROR_NETRC", Key: "mirror_netrc", Meaning: "file of names and passwords for mirroring by https, in the form of netrc"},
	{Name: "mirror-ssh-key", Env: "SIGNALBOX_MIRROR_SSH_KEY", Key: "mirror_ssh_key", Meaning: "file of the private key for mirroring by ssh"},
	{Name: "mirror-known-hosts", Env: "SIGNALBOX_MIRROR_KNOWN_HOSTS", Key: "mirror_known_hosts", Meaning: "file of the keys of hosts for mirroring by ssh, in the form of known_hosts"},
	{Name: "mirror-size", Env: "SIGNALBOX_MIRROR_SIZE", Key: "mirror_size", Fallback: "2GiB", Meaning: "most bytes of one mirror; a larger repository is not mirrored"},
	{Name: "mirror-total", Env: "SIGNALBOX_MIRROR_TOTAL", Key: "mirror_total", Fallback: "20GiB", Meaning: "most bytes of all mirrors together; those unused for longest are removed"},
	{Name: "witnesses", Env: "SIGNALBOX_WITNESSES", Key: "witnesses", Meaning: "witnesses that cosign checkpoints, separated by commas, each its address, a space and its public key; none unless set"},
	{Name: "witness-quorum", Env: "SIGNALBOX_WITNESS_QUORUM", Key: "witness_quorum", Fallback: "1", Meaning: "how many of them make a checkpoint witnessed; with fewer, /readyz says so, and nothing else changes"},
	{Name: "witness-ca", Env: "SIGNALBOX_WITNESS_CA", Key: "witness_ca", Meaning: "file of certificates (PEM) that are trusted besides the system's, for witnesses"},
	{Name: "witness-private", Env: "SIGNALBOX_WITNESS_PRIVATE", Key: "witness_private", Fallback: "false", Meaning: "witnesses may be on this machine and in private networks; on this machine without TLS too", Boolean: true},
	{Name: "checkpoint-folder", Env: "SIGNALBOX_CHECKPOINT_FOLDER", Key: "checkpoint_folder", Meaning: "directory, best in write-once storage, that receives a file for each published checkpoint"},
	{Name: "checkpoint-repository", Env: "SIGNALBOX_CHECKPOINT_REPOSITORY", Key: "checkpoint_repository", Meaning: "Git repository, a directory or an address by https or ssh, whose branch signalbox-checkpoints receives a commit for each published checkpoint; the settings of mirrors say how it is reached"},
	{Name: "checkpoint-every", Env: "SIGNALBOX_CHECKPOINT_EVERY", Key: "checkpoint_every", Fallback: "1m", Meaning: "least time from one published checkpoint to the next; witnesses are shown every one"},
	{Name: "commit-keys", Env: "SIGNALBOX_COMMIT_KEYS", Key: "commit_keys", Meaning: "files, separated by commas, of keys that the server holds signatures of commits against: allowed signers of ssh-keygen, or OpenPGP public keys in armour"},
}

// All is every setting there is, in the order of the reference.
func All() []Option { return slices.Clone(options) }

// Of is the option with a flag, key or variable of the name; the zero Option is none.
func Of(name string) Option {
	i := slices.IndexFunc(options, func(o Option) bool { return o.Name == name || o.Key == name || o.Env == name })
	if i < 0 || name == "" {
		return Option{}
	}
	return options[i]
}

// Bind adds the flags of options. Their default stays empty: what holds where
// no flag is given is for Resolve to say.
func Bind(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		o := Of(name)
		usage := o.Meaning
		if o.Fallback != "" && !o.Boolean {
			usage += " (default " + o.Fallback + ")"
		}
		if o.Boolean {
			flags.BoolP(o.Name, o.Short, false, usage)
		} else {
			flags.StringP(o.Name, o.Short, "", usage)
		}
	}
}
