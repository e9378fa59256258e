package session

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// Name is the name of a database connection.
type Name string

// Default is the name of the connection that a context uses unless [On] chose another, whatever that connection's own
// name is.
const Default Name = ""

// Config describes one named connection. A zero field means its default; a negative MaxOverflow, PoolTimeout or
// PoolRecycle means none.
type Config struct {
	// Name identifies the connection. Defaults to "default".
	Name Name
	// URL is the database's address; its scheme chooses among Drivers: postgres://, sqlite:///. What follows a "+" in the
	// scheme is ignored. Required unless Connector is set.
	URL string
	// Connector is an existing source of connections (an *sql.DB, or the driver's own configuration) to use instead of a
	// URL: for IAM tokens, TLS and the like. The first of Drivers takes it.
	Connector any
	// Drivers are the drivers that URL or Connector may need. Required.
	Drivers []driver.Driver
	// Default makes this the default connection. A single connection is the default without it.
	Default bool
	// Echo logs every statement with the types and lengths of its arguments, its duration and its rows.
	Echo bool
	// EchoValues makes Echo print the arguments' values too, but never those of secret fields, of raw SQL or of messages.
	EchoValues bool
	// PoolSize is the number of connections kept open. Defaults to 5.
	PoolSize int
	// MaxOverflow is the number of connections opened beyond PoolSize under load and closed after it. Defaults to 10.
	MaxOverflow int
	// PoolTimeout bounds the wait for a connection. Defaults to 30 seconds.
	PoolTimeout time.Duration
	// PoolRecycle is the age at which connections are closed. Defaults to an hour.
	PoolRecycle time.Duration
	// ReadOnly refuses every write on this connection.
	ReadOnly bool
	// Isolation is the isolation level of its transactions where an operation asks for none. Defaults to READ COMMITTED.
	Isolation uow.Isolation
	// StatementTimeout and LockTimeout bound each statement, and each wait for a lock, where an operation says nothing
	// else. Default to none.
	StatementTimeout, LockTimeout time.Duration
	// Pooler says that a transaction pooler stands before the database: nothing is kept on a connection between
	// transactions.
	Pooler bool
	// Durable refuses messages where a crash of the database can undo a commit that was answered, since they may have left
	// by then: with synchronous_commit or fsync off, with SQLite's synchronous below FULL. Publishing, and starting a
	// worker, is fault.Misconfigured there. Without it, the log has a warning.
	Durable bool
	// CursorKeys are the secrets that cursors of lists are sealed with (see [Seek]), of at least 32 bytes each. The first one
	// seals, all open: to change it, put the new one before it. Defaults to a random one, whose cursors are refused by other
	// processes and after a restart; the log then has a warning once a cursor is made.
	CursorKeys []string
	// Logger takes the echo and what happens while nobody waits. Defaults to slog.Default().
	Logger *slog.Logger
	// Observer sees units, scripts and waits for connections. Defaults to none.
	Observer uow.Observer
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

// withDefaults returns a copy of c with its defaults applied.
func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, "default")
	c.PoolSize = cmp.Or(c.PoolSize, 5)
	c.MaxOverflow = max(0, cmp.Or(c.MaxOverflow, 10))
	c.PoolTimeout = max(0, cmp.Or(c.PoolTimeout, 30*time.Second))
	c.PoolRecycle = max(0, cmp.Or(c.PoolRecycle, time.Hour))
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

var validName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// validate checks a configuration that has its defaults.
func (c Config) validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if !validName.MatchString(string(c.Name)) {
		bad("Name", "%q is not a name of letters, digits, _ and -", c.Name)
	}
	if (c.URL == "") == (c.Connector == nil) {
		bad("URL", "either URL or Connector is required")
	}
	if len(c.Drivers) == 0 {
		bad("Drivers", "at least one driver is required")
	}
	if c.PoolSize < 1 {
		bad("PoolSize", "must be at least 1")
	}
	if c.Isolation > uow.Serializable {
		bad("Isolation", "unknown level %d", c.Isolation)
	}
	if c.StatementTimeout < 0 || c.LockTimeout < 0 {
		bad("StatementTimeout, LockTimeout", "must not be negative")
	}
	return c.misconfigured(errors.Join(errs...))
}

func (c Config) misconfigured(err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Misconfigured, Op: "session.Open", Connection: string(c.Name), Err: err}
}

var validScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.+-]*$`)

// driver chooses the driver for the configuration.
func (c Config) driver() (driver.Driver, error) {
	if c.Connector != nil {
		return c.Drivers[0], nil
	}
	scheme, _, ok := strings.Cut(c.URL, ":")
	if !ok || !validScheme.MatchString(scheme) {
		// Nothing of it is printed: in a list of "key=value" any piece may be the password.
		return nil, c.misconfigured(errors.New("URL: it does not begin with a scheme, as postgres:// or sqlite:///"))
	}
	base, _, _ := strings.Cut(strings.ToLower(scheme), "+")
	var known []string
	for _, d := range c.Drivers {
		for _, s := range d.Schemes() {
			if s == base {
				return d, nil
			}
			known = append(known, s)
		}
	}
	return nil, c.misconfigured(fmt.Errorf("URL: no driver for %q was given%s; there is %s",
		base, driverHint[base], strings.Join(known, ", ")))
}

// driverHint names the package that has the driver for a scheme.
var driverHint = map[string]string{
	"postgres":   " (session/pgxdriver has it)",
	"postgresql": " (session/pgxdriver has it)",
	"sqlite":     " (session/sqlitedriver has it)",
	"mysql":      " (a MariaDB and MySQL driver does not exist yet)",
	"mariadb":    " (a MariaDB and MySQL driver does not exist yet)",
}
