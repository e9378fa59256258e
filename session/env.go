package session

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// environment is what the variables of one connection say, behind its prefix.
type environment struct {
	URL              string        `env:"URL"`
	Default          bool          `env:"DEFAULT"`
	Echo             bool          `env:"ECHO"`
	EchoValues       bool          `env:"ECHO_VALUES"`
	PoolSize         int           `env:"POOL_SIZE"`
	MaxOverflow      int           `env:"MAX_OVERFLOW"`
	PoolTimeout      time.Duration `env:"POOL_TIMEOUT"`
	PoolRecycle      time.Duration `env:"POOL_RECYCLE"`
	ReadOnly         bool          `env:"READ_ONLY"`
	Isolation        isolation     `env:"ISOLATION"`
	StatementTimeout time.Duration `env:"STATEMENT_TIMEOUT"`
	LockTimeout      time.Duration `env:"LOCK_TIMEOUT"`
	Pooler           bool          `env:"POOLER"`
	Durable          bool          `env:"DURABLE"`
	CursorKeys       []string      `env:"CURSOR_KEYS"`
}

// isolation is an isolation level as its name in SQL: "repeatable read".
type isolation uow.Isolation

// UnmarshalText implements encoding.TextUnmarshaler.
func (i *isolation) UnmarshalText(text []byte) error {
	for level := uow.ReadCommitted; level <= uow.Serializable; level++ {
		if strings.EqualFold(string(text), level.String()) {
			*i = isolation(level)
			return nil
		}
	}
	return errors.New("no isolation level")
}

// FromEnv reads the connections that the environment describes: DB_URL and DB_POOL_SIZE, DB_ECHO and so on for the
// default one, DB_ANALYTICS_URL and its like for one named "analytics". Durations are written as Go does: 30s,
// isolation levels as SQL does: repeatable read, and cursor keys with commas between them. A variable that cannot be read is fault.Misconfigured naming it, never
// its value. With none set it returns no connection.
func FromEnv(drivers ...driver.Driver) ([]Config, error) {
	vars := env.ToMap(os.Environ())
	var cfgs []Config
	for _, prefix := range prefixes(vars) {
		var e environment
		if err := env.ParseWithOptions(&e, env.Options{Environment: vars, Prefix: prefix}); err != nil {
			return nil, badVariable(prefix, vars)
		}
		name := strings.ToLower(strings.Trim(strings.TrimPrefix(prefix, "DB_"), "_"))
		cfgs = append(cfgs, Config{
			Name: Name(name), URL: e.URL, Drivers: drivers, Default: e.Default || name == "",
			Echo: e.Echo, EchoValues: e.EchoValues, PoolSize: e.PoolSize, MaxOverflow: e.MaxOverflow,
			PoolTimeout: e.PoolTimeout, PoolRecycle: e.PoolRecycle, ReadOnly: e.ReadOnly, Isolation: uow.Isolation(e.Isolation),
			StatementTimeout: e.StatementTimeout, LockTimeout: e.LockTimeout, Pooler: e.Pooler, Durable: e.Durable,
			CursorKeys: e.CursorKeys,
		})
	}
	return cfgs, nil
}

// prefixes returns the prefix of each connection that has a URL, the default's first.
func prefixes(vars map[string]string) []string {
	var found []string
	for name := range vars {
		if strings.HasPrefix(name, "DB_") && strings.HasSuffix(name, "_URL") || name == "DB_URL" {
			found = append(found, strings.TrimSuffix(name, "URL"))
		}
	}
	slices.Sort(found)
	return found
}

// badVariable finds the variable that cannot be read by trying each alone: the parser's own error holds its value.
func badVariable(prefix string, vars map[string]string) error {
	for name, v := range vars {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		var e environment
		if env.ParseWithOptions(&e, env.Options{Environment: map[string]string{name: v}, Prefix: prefix}) != nil {
			return &fault.Error{
				Kind: fault.Misconfigured, Op: "session.FromEnv",
				Message: fmt.Sprintf("the environment variable %s cannot be read", name),
			}
		}
	}
	return &fault.Error{Kind: fault.Misconfigured, Op: "session.FromEnv", Message: "the variables " + prefix + "* cannot be read"}
}
