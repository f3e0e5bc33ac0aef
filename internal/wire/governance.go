package wire

import "time"

// Scope is what a freeze covers: everything that each non-empty list names.
type Scope struct {
	Services     []string `json:"services,omitempty"`
	Environments []string `json:"environments,omitempty"`
	Kinds        []string `json:"kinds,omitempty" doc:"Of environment"`
	Regions      []string `json:"regions,omitempty"`
	Tiers        []int    `json:"tiers,omitempty"`
}

// FreezeRequest declares a freeze.
type FreezeRequest struct {
	Name   string    `json:"name"`
	Rule   string    `json:"rule,omitempty" doc:"A freeze rule of the active policy"`
	Scope  Scope     `json:"scope,omitzero"`
	From   time.Time `json:"from,omitzero" doc:"Now, where absent"`
	Until  time.Time `json:"until,omitzero" doc:"First instant after it; until lifted, where absent"`
	Reason string    `json:"reason"`
}

// Freeze is a span in which the business wants no releases.
type Freeze struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Rule       string    `json:"rule,omitempty"`
	Scope      Scope     `json:"scope"`
	From       time.Time `json:"from"`
	Until      time.Time `json:"until,omitzero"`
	Lifted     time.Time `json:"lifted,omitzero"`
	Reason     string    `json:"reason,omitempty"`
	By         string    `json:"by,omitempty" doc:"Who declared it"`
	ByName     string    `json:"by_name,omitempty"`
	LiftReason string    `json:"lift_reason,omitempty"`
	LiftedBy   string    `json:"lifted_by,omitempty"`
}

// PolicyFile is one file of a bundle, its data as text.
type PolicyFile struct {
	Name string `json:"name"`
	Data string `json:"data"`
}

// PolicyRequest activates a bundle; its tests must pass.
type PolicyRequest struct {
	Files     []PolicyFile `json:"files"`
	Reason    string       `json:"reason"`
	Effective time.Time    `json:"effective,omitzero" doc:"Now, where absent"`
}

// Activation is a bundle taking effect, or put out of force.
type Activation struct {
	Digest    string    `json:"digest"`
	Name      string    `json:"name"`
	Version   string    `json:"version,omitempty"`
	Effective time.Time `json:"effective"`
	Tests     int       `json:"tests" doc:"How many passed"`
	Contract  int       `json:"contract"`
	By        string    `json:"by"`
	ByName    string    `json:"by_name,omitempty"`
	At        time.Time `json:"at"`
	Reason    string    `json:"reason,omitempty"`
	// Deactivated says that the bundle was put out of force, and none took its place.
	Deactivated bool `json:"deactivated,omitempty" doc:"The bundle was put out of force, and none took its place"`
}

// Policy is the bundle in force; Active is false where none is.
type Policy struct {
	Active     bool        `json:"active"`
	Activation *Activation `json:"activation,omitempty"`
	Gates      []Gate      `json:"gates"`
	Types      []string    `json:"types" doc:"Names of the release types"`
	Freezes    []string    `json:"freeze_rules"`
}

// Gate is one gate of the bundle in force.
type Gate struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Severity string   `json:"severity"`
	Controls []string `json:"controls,omitempty"`
	Owner    string   `json:"owner,omitempty"`
}

// PolicyFiles is the sources of the bundle in force.
type PolicyFiles struct {
	Digest string       `json:"digest"`
	Files  []PolicyFile `json:"files"`
}

// Imported says what a catalog import changed.
type Imported struct {
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Same    int `json:"same"`
}

// Service is what is released. Tier is business criticality, 0 (highest) to 3.
type Service struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Tier        int      `json:"tier"`
	Team        string   `json:"team"`
	Flags       []string `json:"flags,omitempty"`
	DataClasses []string `json:"data_classes,omitempty"`
	Repository  string   `json:"repository,omitempty"`
	DependsOn   []string `json:"depends_on,omitempty"`

	Components []Component `json:"components,omitempty"`
}

// Component is a part of a service, told by where it lies in the repository.
type Component struct {
	Name  string   `json:"name"`
	Paths []string `json:"paths" doc:"Files, directories and patterns with *, ? and **"`
}

// Environment is where a release goes.
type Environment struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Region string `json:"region,omitempty"`
}

// Person is a human of the organisation. Handle and Name are absent once disposed of.
type Person struct {
	ID       string   `json:"id"`
	Handle   string   `json:"handle,omitempty"`
	Name     string   `json:"name,omitempty"`
	Teams    []string `json:"teams,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Departed bool     `json:"departed,omitempty"`
}

// Machine is a named pipeline identity.
type Machine struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Purpose  string   `json:"purpose,omitempty"`
	Services []string `json:"services,omitempty"`
	Roles    []string `json:"roles,omitempty"`
}

// TokenRequest asks for a token of a person or a machine; both empty is one's own.
type TokenRequest struct {
	Handle  string   `json:"handle,omitempty"`
	Machine string   `json:"machine,omitempty"`
	Label   string   `json:"label,omitempty"`
	Scopes  []string `json:"scopes,omitempty" doc:"Rights; all of the holder's where empty"`
	Hours   int      `json:"hours,omitempty" doc:"Life, 1 to 2160; 0 is 720"`
}

// IssuedToken is a new token; its secret is shown this once.
type IssuedToken struct {
	ID      string    `json:"id"`
	Secret  string    `json:"secret,omitempty" doc:"Absent where the same request was repeated: issue another"`
	Subject string    `json:"subject,omitempty"`
	Expires time.Time `json:"expires"`
}

// Token is a token without its secret.
type Token struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"`
	Label   string    `json:"label,omitempty"`
	Purpose string    `json:"purpose,omitempty"`
	Scopes  []string  `json:"scopes"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	Revoked bool      `json:"revoked,omitempty"`
	Spent   bool      `json:"spent,omitempty"`
}

// RoleRequest grants or revokes a role of a person, by handle, or a machine, by name.
type RoleRequest struct {
	Handle  string `json:"handle,omitempty"`
	Machine string `json:"machine,omitempty"`
	Role    string `json:"role"`
	Reason  string `json:"reason"`
}

// SetupRequest makes the first administrator with the one-time code of the setup link.
type SetupRequest struct {
	Code   string `json:"code"`
	Handle string `json:"handle"`
	Name   string `json:"name"`
	Email  string `json:"email"`
}
