package catalog

// Schema is the catalog of one database at one moment: everything that the
// statements of an application can depend on. System schemas, temporary
// objects and what belongs to an extension are not in it.
//
// All names are as SQL would write them, quoted where they must be: objects are
// in maps under their qualified name, such as public.users or "My Schema".t, a
// function under name(argument types), columns and what belongs to a table under
// their bare name, such as "order". Names of roles and settings are plain.
//
// A field that is marked digest:"-" is not in any digest; one that is marked
// digest:"all" is what no dump carries, and in that of everything only.
type Schema struct {
	Format   int      `json:"format" digest:"-"`
	Server   int      `json:"server" digest:"-"`   // server_version_num
	Identity Identity `json:"identity" digest:"-"` // object ids mean something only among schemas that share it
	Database Database `json:"database" digest:"all"`

	Namespaces    map[string]Namespace    `json:"namespaces"`
	Tables        map[string]Table        `json:"tables"` // partitioned and foreign ones too
	Views         map[string]View         `json:"views"`  // materialized ones too
	Sequences     map[string]Sequence     `json:"sequences"`
	Enums         map[string]Enum         `json:"enums"`
	Domains       map[string]Domain       `json:"domains"`
	Composites    map[string]Composite    `json:"composites"` // free-standing ones
	Ranges        map[string]Range        `json:"ranges"`
	Functions     map[string]Function     `json:"functions"` // procedures, aggregates and window functions too
	Extensions    map[string]Extension    `json:"extensions"`
	Publications  map[string]Publication  `json:"publications"`
	EventTriggers map[string]EventTrigger `json:"event_triggers"`
	Grants        []Grant                 `json:"grants,omitempty" digest:"all"` // on the database
	Settings      map[string]string       `json:"settings" digest:"all"`         // of the database and of roles in it (pg_db_role_setting), "role/name" or "/name"; a custom one as its digest

	// Others is the rest, under kind and name, such as "cast (text AS
	// public.money)" or "comment index public.i": whatever is there shows up when
	// it changes.
	Others map[string]string `json:"others"`
	// Local is the rest of what no dump carries: roles that have a part in the
	// database, with their memberships, subscriptions, disabled constraints.
	Local map[string]string `json:"local" digest:"all"`
}

// Database is what the database was made with.
type Database struct {
	Owner       string `json:"owner"`
	Encoding    string `json:"encoding"`
	Collate     string `json:"collate"`
	Ctype       string `json:"ctype"`
	Connections int    `json:"connections"` // limit; -1: none
}

// Identity tells one database from all others.
type Identity struct {
	System   string `json:"system"`   // pg_control_system's identifier
	Database uint32 `json:"database"` // its oid
}

// Grant is one privilege of one role, also those that an owner or PUBLIC has
// without saying so.
type Grant struct {
	Role      string `json:"role"` // PUBLIC for everybody
	Privilege string `json:"privilege"`
	Grantable bool   `json:"grantable,omitempty"`
}

// Namespace is what SQL calls a schema.
type Namespace struct {
	OID    uint32  `json:"oid" digest:"-"`
	Owner  string  `json:"owner"`
	Grants []Grant `json:"grants,omitempty"`
}

// Table is a table of any kind.
type Table struct {
	OID              uint32                `json:"oid" digest:"-"`
	File             uint32                `json:"file,omitempty" digest:"-"` // pg_relation_filenode: another one after a rewrite
	Kind             string                `json:"kind"`                      // relkind: r, p or f
	Persistence      string                `json:"persistence"`               // relpersistence
	Owner            string                `json:"owner"`
	Columns          []Column              `json:"columns"` // in their order, dropped ones left out
	Constraints      map[string]Constraint `json:"constraints,omitempty"`
	Indexes          map[string]Index      `json:"indexes,omitempty"` // by bare name
	Triggers         map[string]Trigger    `json:"triggers,omitempty"`
	Rules            map[string]Rule       `json:"rules,omitempty"`
	Policies         map[string]Policy     `json:"policies,omitempty"`
	RowSecurity      bool                  `json:"row_security,omitempty"`
	ForceRowSecurity bool                  `json:"force_row_security,omitempty"`
	ReplicaIdentity  string                `json:"replica_identity,omitempty"` // relreplident: d f n, or i and the index
	PartitionKey     string                `json:"partition_key,omitempty"`    // of a partitioned one
	PartitionOf      string                `json:"partition_of,omitempty"`     // the parent
	PartitionBound   string                `json:"partition_bound,omitempty"`  // FOR VALUES …
	Inherits         []string              `json:"inherits,omitempty"`
	OfType           string                `json:"of_type,omitempty"`
	Server           string                `json:"server,omitempty"` // of a foreign one, with its options
	Grants           []Grant               `json:"grants,omitempty"`
	Comment          string                `json:"comment,omitempty"`
	Rows             float64               `json:"rows,omitempty" digest:"-"`  // reltuples; -1: not known
	Bytes            int64                 `json:"bytes,omitempty" digest:"-"` // pg_table_size
}

// Column is a column of a table, a view or a composite type.
type Column struct {
	Number    int16   `json:"number" digest:"-"` // attnum
	Name      string  `json:"name"`
	Type      string  `json:"type"` // format_type with its modifier, always qualified unless built in
	NotNull   bool    `json:"not_null,omitempty"`
	Default   string  `json:"default,omitempty"`
	Identity  string  `json:"identity,omitempty"`           // attidentity: a or d
	Generated string  `json:"generated,omitempty"`          // attgenerated: s, v for virtual ones of newer servers; its expression is in Default
	Collation string  `json:"collation,omitempty"`          // if not the type's own
	Volatile  bool    `json:"volatile,omitempty"`           // the default calls a volatile function
	Missing   bool    `json:"missing,omitempty" digest:"-"` // atthasmissing: added with a default and without a rewrite
	Grants    []Grant `json:"grants,omitempty"`             // on the column alone
	Comment   string  `json:"comment,omitempty"`
}

// Constraint is a constraint of a table or a domain.
type Constraint struct {
	OID        uint32   `json:"oid" digest:"-"`
	Kind       string   `json:"kind"`       // contype: c f p u x t, n for NOT NULL of newer servers
	Definition string   `json:"definition"` // pg_get_constraintdef
	Columns    []string `json:"columns,omitempty"`
	References string   `json:"references,omitempty"` // table of a foreign key
	OnUpdate   string   `json:"on_update,omitempty"`  // confupdtype
	OnDelete   string   `json:"on_delete,omitempty"`  // confdeltype
	Deferrable bool     `json:"deferrable,omitempty"`
	Deferred   bool     `json:"deferred,omitempty"`
	Valid      bool     `json:"valid"`
	Index      string   `json:"index,omitempty"` // that it stands on
}

// Index is an index of a table or a materialized view.
type Index struct {
	OID              uint32   `json:"oid" digest:"-"`
	File             uint32   `json:"file,omitempty" digest:"-"`
	Definition       string   `json:"definition"` // pg_get_indexdef
	Method           string   `json:"method"`
	Columns          []string `json:"columns"` // keys; an expression as SQL
	Include          []string `json:"include,omitempty"`
	Predicate        string   `json:"predicate,omitempty"`
	Unique           bool     `json:"unique,omitempty"`
	NullsNotDistinct bool     `json:"nulls_not_distinct,omitempty"`
	Primary          bool     `json:"primary,omitempty"`
	Exclusion        bool     `json:"exclusion,omitempty"`
	Valid            bool     `json:"valid"`
	Ready            bool     `json:"ready"`
	Constraint       string   `json:"constraint,omitempty"` // that stands on it
	PartOf           string   `json:"part_of,omitempty"`    // index of the partitioned table that it is attached to
	Bytes            int64    `json:"bytes,omitempty" digest:"-"`
}

// Trigger is a trigger of a table or a view.
type Trigger struct {
	OID        uint32 `json:"oid" digest:"-"`
	Definition string `json:"definition"`
	Enabled    string `json:"enabled"` // tgenabled
	Function   string `json:"function"`
}

// Rule is a rewrite rule that is not a view's own.
type Rule struct {
	OID        uint32 `json:"oid" digest:"-"`
	Definition string `json:"definition"`
	Enabled    string `json:"enabled"`
}

// Policy is a row security policy.
type Policy struct {
	OID        uint32   `json:"oid" digest:"-"`
	Command    string   `json:"command"` // polcmd
	Permissive bool     `json:"permissive"`
	Roles      []string `json:"roles"`
	Using      string   `json:"using,omitempty"`
	Check      string   `json:"check,omitempty"`
}

// View is a view of either kind.
type View struct {
	OID          uint32             `json:"oid" digest:"-"`
	Materialized bool               `json:"materialized,omitempty"`
	Owner        string             `json:"owner"`
	Columns      []Column           `json:"columns"`
	Definition   string             `json:"definition"`
	Options      []string           `json:"options,omitempty"` // security_barrier, check_option …
	Updatable    int                `json:"updatable"`         // pg_relation_is_updatable
	Populated    bool               `json:"populated,omitempty" digest:"all"`
	Indexes      map[string]Index   `json:"indexes,omitempty"`
	Triggers     map[string]Trigger `json:"triggers,omitempty"`
	Rules        map[string]Rule    `json:"rules,omitempty"`
	Grants       []Grant            `json:"grants,omitempty"`
	Comment      string             `json:"comment,omitempty"`
}

// Sequence is a sequence, an identity column's too.
type Sequence struct {
	OID       uint32  `json:"oid" digest:"-"`
	Owner     string  `json:"owner"`
	Type      string  `json:"type"`
	Start     int64   `json:"start"`
	Min       int64   `json:"min"`
	Max       int64   `json:"max"`
	Increment int64   `json:"increment"`
	Cycle     bool    `json:"cycle,omitempty"`
	OwnedBy   string  `json:"owned_by,omitempty"`        // table.column
	Last      int64   `json:"last,omitempty" digest:"-"` // value given last, or that before the one which a restart has set; 0: none yet, or not for us to see
	Grants    []Grant `json:"grants,omitempty"`
}

// Enum is an enumerated type.
type Enum struct {
	OID    uint32   `json:"oid" digest:"-"`
	Owner  string   `json:"owner"`
	Labels []string `json:"labels"` // in their order
	Grants []Grant  `json:"grants,omitempty"`
}

// Domain is a type with constraints on another.
type Domain struct {
	OID         uint32                `json:"oid" digest:"-"`
	Owner       string                `json:"owner"`
	Type        string                `json:"type"`
	NotNull     bool                  `json:"not_null,omitempty"`
	Default     string                `json:"default,omitempty"`
	Collation   string                `json:"collation,omitempty"`
	Constraints map[string]Constraint `json:"constraints,omitempty"`
	Grants      []Grant               `json:"grants,omitempty"`
}

// Composite is a row type of its own.
type Composite struct {
	OID    uint32   `json:"oid" digest:"-"`
	Owner  string   `json:"owner"`
	Fields []Column `json:"fields"`
	Grants []Grant  `json:"grants,omitempty"`
}

// Range is a range type.
type Range struct {
	OID        uint32  `json:"oid" digest:"-"`
	Owner      string  `json:"owner"`
	Definition string  `json:"definition"` // subtype, operator class, collation, canonical and difference functions
	Grants     []Grant `json:"grants,omitempty"`
}

// Function is a function, a procedure, an aggregate or a window function.
type Function struct {
	OID             uint32     `json:"oid" digest:"-"`
	Kind            string     `json:"kind"` // prokind: f p a w
	Name            string     `json:"name"` // qualified, without arguments
	Owner           string     `json:"owner"`
	Arguments       []Argument `json:"arguments"`
	Result          string     `json:"result"` // pg_get_function_result
	Language        string     `json:"language"`
	Body            string     `json:"body"`            // digest of the source
	Stars           []string   `json:"stars,omitempty"` // names after FROM, JOIN, INTO, and NEW and OLD, lower case, if the source has a * for columns
	Volatility      string     `json:"volatility"`      // provolatile
	Strict          bool       `json:"strict,omitempty"`
	SecurityDefiner bool       `json:"security_definer,omitempty"`
	Leakproof       bool       `json:"leakproof,omitempty"`
	Parallel        string     `json:"parallel"`
	Settings        []string   `json:"settings,omitempty"`           // proconfig
	Aggregate       string     `json:"aggregate,omitempty"`          // definition of an aggregate's parts
	Shadows         bool       `json:"shadows,omitempty" digest:"-"` // the server has a function of its name with as many arguments
	Grants          []Grant    `json:"grants,omitempty"`
}

// Argument is an argument of a function.
type Argument struct {
	Mode    string `json:"mode"` // proargmodes: i o b v t
	Name    string `json:"name,omitempty"`
	Type    string `json:"type"`
	Default string `json:"default,omitempty"`
}

// Extension is an installed extension.
type Extension struct {
	Version   string `json:"version" digest:"all"`
	Namespace string `json:"namespace"`
}

// Publication is a publication for logical replication.
type Publication struct {
	Owner      string `json:"owner"`
	Definition string `json:"definition"` // tables, schemas, operations
}

// EventTrigger runs on statements that change the schema.
type EventTrigger struct {
	Definition string `json:"definition"`
	Enabled    string `json:"enabled"`
}
