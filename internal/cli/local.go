package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/internal/doctor"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/settings"
	"signalbox.dev/signalbox/internal/steward"
)

// Local is what needs the server within this process. A function that is nil
// is not part of the build, and its command says so.
type Local struct {
	Version string                 // of this build
	Bundles release.BundleVerifier // nil: Sigstore bundles are refused
	Tokens  seal.Tokens            // nil: keys in PKCS#11 tokens are refused

	Serve       func(context.Context, ServeOptions, Streams) error
	Demo        func(context.Context, DemoOptions, Streams) error
	AdminCreate func(context.Context, AdminOptions, Streams) error
	Export      func(context.Context, ExportOptions, Streams) error
	Doctor      func(context.Context, StoreOptions) []doctor.Finding
	VaultMove   func(context.Context, MoveOptions) (Moved, error)
	Witness     func(context.Context, WitnessOptions, Streams) error
	Upkeep      steward.Local
}

// StoreOptions say where the server's data is.
type StoreOptions = settings.Store

// VaultOptions say where original files are kept, as the settings have it.
type VaultOptions = settings.Vault

// ServeOptions are those of the command serve.
type ServeOptions struct {
	StoreOptions
	Listen       string // host:port
	TLSCert      string // files; both or neither
	TLSKey       string
	BehindProxy  bool     // a proxy in front provides TLS
	URL          string   // how people reach the server; "" is derived from Listen
	Repositories []string // directories under which the server may read Git repositories
	Mirrors      MirrorOptions
	LogLevel     string   // debug, info, warn or error
	Drain        string   // how long the server answers on when it is told to stop, such as 2s
	Traces       string   // address of a collector of traces; "" for none
	CommitKeys   []string // files of keys that signatures of commits are held against
	Publish      PublishOptions
	Catalog      string // file that is imported at the start
	AdminHandle  string // first administrator without a browser; "" offers a setup link
	AdminName    string
	AdminEmail   string
	AdminToken   string // file that receives the administrator's token
}

// MirrorOptions say which repositories elsewhere the server may mirror.
type MirrorOptions struct {
	Hosts                         []string // none: no repository is mirrored
	CA, Netrc, SSHKey, KnownHosts string   // files
	Size, Total                   string   // as written, such as 2GiB
}

// PublishOptions say who holds the journal to its checkpoints, as the settings have it.
type PublishOptions struct {
	Witnesses          []string // address, space, public key
	Quorum, Every      string
	CA                 string // file
	Private            bool
	Folder, Repository string
}

// DemoOptions are those of the command demo.
type DemoOptions struct {
	StoreOptions
	Listen     string
	Repository string   // "" is the repository that the working directory stands in
	From, To   string   // names of commits; "" leaves the choice to the demo
	Evidence   []string // files; none lets the demo write its own
	Once       bool     // end after the walk instead of serving
	All        bool     // unfold the gates that passed
	Color      bool
	Zone       *time.Location // in which instants are printed, beside UTC
}

// AdminOptions are those of the command admin create.
type AdminOptions struct {
	StoreOptions
	Handle, Name, Email string
	TokenFile           string // receives the token; "-" is standard output
}

// ExportOptions are those of the command journal export --data.
type ExportOptions struct {
	StoreOptions
	File string // "-" is standard output
}

// MoveOptions are those of the command vault move. The store's say where
// originals are to be.
type MoveOptions struct {
	StoreOptions
	From  string // where they are, as VaultOptions.Where has it
	Lossy bool   // leave what is gone or has changed
}

// Moved is what vault move has brought over.
type Moved struct {
	Entries int      `json:"entries"`
	Bytes   int64    `json:"bytes"`
	Lost    []string `json:"lost"` // gone or changed where they were, and left
}

func absent(what string) error {
	return fault.Invalidf("cli.no-server", "this build has no server").Because(what + " runs within the server's process").
		Remedy("use a build of signalbox that has one")
}

var storeNames = []string{"data", "database", "database-file", "keys-dir", "journal-key", "permit-key", "vault", "vault-quota", "vault-endpoint", "vault-region", "vault-ca", "vault-keys-file", "vault-lock", "vault-retention", "vault-legal-hold"}

// store is the options of the store, as set.
func (c call) store() (StoreOptions, error) {
	o := StoreOptions{Data: c.setting("data"), Database: c.setting("database"), Keys: c.setting("keys-dir"), JournalKey: c.setting("journal-key"), PermitKey: c.setting("permit-key"), Tokens: c.local.Tokens}
	var err error
	if o.Vault, err = c.vaultOptions(); err != nil {
		return o, err
	}
	if file := c.setting("database-file"); file != "" {
		text, err := c.secretFile("database-file", file)
		if err != nil {
			return o, err
		}
		o.Database = text
	}
	return o, nil
}

func (a *app) serve() *cobra.Command {
	cmd := a.command("serve", "Run the server: API, pages, timers", func(ctx context.Context, c call) error {
		if a.local.Serve == nil {
			return absent("serve")
		}
		store, err := c.store()
		if err != nil {
			return err
		}
		proxied, err := c.settingBool("behind-proxy")
		if err != nil {
			return err
		}
		private, err := c.settingBool("witness-private")
		if err != nil {
			return err
		}
		return a.local.Serve(ctx, ServeOptions{
			StoreOptions: store, Listen: c.setting("listen"), TLSCert: c.setting("tls-cert"), TLSKey: c.setting("tls-key"),
			BehindProxy: proxied, URL: c.setting("url"), Repositories: list(c.setting("repositories")),
			CommitKeys: list(c.setting("commit-keys")), LogLevel: c.setting("log-level"), Traces: c.setting("traces"), Drain: c.setting("drain"), Mirrors: MirrorOptions{
				Hosts: list(c.setting("mirror-hosts")), CA: c.setting("mirror-ca"), Netrc: c.setting("mirror-netrc"), SSHKey: c.setting("mirror-ssh-key"),
				KnownHosts: c.setting("mirror-known-hosts"), Size: c.setting("mirror-size"), Total: c.setting("mirror-total"),
			},
			Publish: PublishOptions{
				Witnesses: list(c.setting("witnesses")), Quorum: c.setting("witness-quorum"), Every: c.setting("checkpoint-every"), CA: c.setting("witness-ca"),
				Private: private, Folder: c.setting("checkpoint-folder"), Repository: c.setting("checkpoint-repository"),
			},
			Catalog: c.text("catalog"), AdminHandle: c.text("admin"), AdminName: c.text("admin-name"), AdminEmail: c.text("admin-email"), AdminToken: c.text("admin-token-file"),
		}, a.Streams)
	})
	cmd.Long = "Run the server. Without --database it keeps everything in --data, in an embedded database.\n" +
		"It listens on this machine alone unless it has TLS or --behind-proxy."
	bind(cmd.Flags(), append(storeNames, "listen", "tls-cert", "tls-key", "behind-proxy", "log-level", "traces", "drain", "url", "repositories", "commit-keys", "mirror-hosts", "mirror-ca", "mirror-netrc", "mirror-ssh-key", "mirror-known-hosts", "mirror-size", "mirror-total",
		"witnesses", "witness-quorum", "witness-ca", "witness-private", "checkpoint-folder", "checkpoint-repository", "checkpoint-every")...)
	f := cmd.Flags()
	f.String("catalog", "", "catalog file that is imported at the start; what it does not name stays")
	f.String("admin", "", "handle of the first administrator, made at the start where there is none")
	f.String("admin-name", "", "his or her printed name")
	f.String("admin-email", "", "his or her e-mail address")
	f.String("admin-token-file", "", "file that receives the administrator's token")
	return cmd
}

func (a *app) demo() *cobra.Command {
	cmd := a.command("demo", "Walk one release from no-go to go, with an example organisation", func(ctx context.Context, c call) error {
		if a.local.Demo == nil {
			return absent("demo")
		}
		store, err := c.store()
		if err != nil {
			return err
		}
		zone, err := c.zone()
		if err != nil {
			return err
		}
		return a.local.Demo(ctx, DemoOptions{
			StoreOptions: store, Listen: c.setting("listen"), Repository: c.text("repo"), From: c.text("from"), To: c.text("to"),
			Evidence: c.texts("evidence"), Once: c.is("once"), All: c.is("all"), Color: c.colour(a.Out), Zone: zone,
		}, a.Streams)
	})
	bind(cmd.Flags(), append(storeNames, "listen")...)
	f := cmd.Flags()
	f.String("repo", "", "Git repository whose change is released; unless given, the one around this directory")
	f.String("from", "", "version before, any name of a commit")
	f.String("to", "", "this version, any name of a commit")
	f.StringArray("evidence", nil, "report to read (repeatable); unless given, the demo writes its own")
	f.Bool("once", false, "end after the walk instead of serving")
	f.Bool("all", false, "list the gates that passed too")
	return cmd
}

func (a *app) admin() *cobra.Command {
	create := a.command("create", "Make the first administrator, on the server's machine", func(ctx context.Context, c call) error {
		if a.local.AdminCreate == nil {
			return absent("admin create")
		}
		store, err := c.store()
		if err != nil {
			return err
		}
		return a.local.AdminCreate(ctx, AdminOptions{
			StoreOptions: store, Handle: c.text("handle"), Name: c.text("name"), Email: c.text("email"), TokenFile: c.text("token-out"),
		}, a.Streams)
	})
	bind(create.Flags(), storeNames...)
	f := create.Flags()
	f.String("handle", "", "how the person signs in, such as ada")
	f.String("name", "", "printed name, such as \"Ada Example\"")
	f.String("email", "", "e-mail address, such as ada@example.com")
	f.String("token-out", "", "file that receives the first token; - is standard output")
	require(create, "handle", "name", "email", "token-out")
	return a.group("admin", "Administer the server on its own machine", create)
}
