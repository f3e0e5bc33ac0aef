package settings

import "signalbox.dev/signalbox/internal/seal"

// Store says where the server's data is.
type Store struct {
	Data     string // directory of the embedded database, keys and vault
	Database string // "" for the embedded database, or postgres://…
	Keys     string // directory of the signing keys; "" is Data/keys
	Vault    Vault

	JournalKey, PermitKey string      // URI of the token, or of the key in it, that the next key is to be; "" is a file
	Tokens                seal.Tokens // reaches tokens; nil in builds that cannot
}

// Vault says where original files are kept, as the settings have it.
type Vault struct {
	Where     string // disk, disk:DIRECTORY, database or s3://BUCKET/PREFIX; "" is by the database
	Quota     string // most bytes of all together, such as 50GiB; "" is no bound
	Endpoint  string // of the S3 service
	Region    string
	CA        string // file of certificates that are trusted besides the system's
	AccessKey string
	SecretKey string
	Lock      string // governance or compliance; "" is none
	Retention string // of the lock, in days, such as 2555d
	LegalHold bool
}
