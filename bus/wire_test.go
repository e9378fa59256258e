package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/internal/wireproxy"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/urututest"
)

// meter is a driver that counts the round trips on the wire of each script. It is right for a pool of one connection.
type meter struct {
	driver.Driver
	proxy *wireproxy.Proxy
	seen  *events
}

func (m meter) Open(ctx context.Context, cfg driver.Config) (driver.Pool, error) {
	p, err := m.Driver.Open(ctx, cfg)
	return meterPool{p, m}, err
}

type meterPool struct {
	driver.Pool
	meter meter
}

func (p meterPool) Acquire(ctx context.Context, access driver.Access) (driver.Conn, error) {
	c, err := p.Pool.Acquire(ctx, access)
	return meterConn{c, p.meter}, err
}

type meterConn struct {
	driver.Conn
	meter meter
}

func (c meterConn) Run(ctx context.Context, s *driver.Script, r driver.Results) error {
	before := c.meter.proxy.Trips()
	err := c.Conn.Run(ctx, s, r)
	var list []string
	for _, st := range s.Statements {
		list = append(list, st.Query)
	}
	c.meter.seen.add("%d: %s", c.meter.proxy.Trips()-before, strings.Join(append(list, s.End.String()), ", "))
	return err
}

// throughMeter opens the database with one connection, through a proxy that counts.
func (f *fixture) throughMeter(t *testing.T) (*fixture, *events) {
	t.Helper()
	u, err := url.Parse(f.url)
	must(t, err)
	m := meter{driverOf(f.url), wireproxy.Start(t, u.Host), newEvents()}
	return openAt(t, f.database, f.url, func(c *session.Config) {
		c.URL, c.Drivers, c.PoolSize = m.proxy.URL(f.url), []driver.Driver{m}, 1
	}), m.seen
}

// metered is throughMeter for a process that has begun to publish, whose connection has seen no statement of a message.
func (f *fixture) metered(t *testing.T) (*fixture, *events) {
	t.Helper()
	p, seen := f.throughMeter(t)
	err := p.Do(t.Context(), func(ctx context.Context) error { return errors.Join(bus.Publish(ctx, Charge{"x"}), errNotYet) })
	if !errors.Is(err, errNotYet) {
		t.Fatal(err)
	}
	return p, seen
}

// since returns what was sent after the first n scripts, but for what wakes other processes and is no part of a unit.
func since(seen *events, n int) []string {
	return slices.DeleteFunc(seen.all()[n:], func(s string) bool { return strings.Contains(s, "notify") })
}

// TestTripsOfPublishing: a unit that writes and publishes takes one round trip, as it does without messages: on a
// connection that has never seen its statements and on one that knows them.
func TestTripsOfPublishing(t *testing.T) {
	t.Parallel()
	f := open(t, urututest.InPostgres)
	f.subscribe(t, "one", "two")
	f.publish(t, Charge{"known"}, Ship{"known", 1}) // the tasks have destinations
	kinds := map[string]func(i int) message.Message{
		"events":          func(i int) message.Message { return Remind{fmt.Sprint(i)} },
		"tasks":           func(i int) message.Message { return Charge{fmt.Sprint(i)} },
		"tasks with keys": func(i int) message.Message { return Ship{fmt.Sprint("key", i), i} },
		"tasks of a key":  func(i int) message.Message { return Ship{"key", i} },
		"a new task":      func(int) message.Message { return Odd{Type: message.Type{Topic: "test.new", Kind: message.Task}} },
	}
	for name, kind := range kinds {
		for _, n := range []int{1, 20} {
			for _, o := range []bus.Options{{}, {Delay: 1e12, Headers: message.Headers{"x": "y"}}} {
				t.Run(fmt.Sprint(name, " ", n, " delayed ", o.Delay > 0), func(t *testing.T) {
					p, seen := f.metered(t)
					for i, warmth := range []string{"cold", "warm", "warm again"} {
						before := len(seen.all())
						p.do(t, func(ctx context.Context) error {
							errs := []error{session.Add(ctx, &Note{Text: fmt.Sprint(name, n, o.Delay, i)})}
							for i := range n {
								errs = append(errs, bus.Publish(ctx, kind(i), o))
							}
							return errors.Join(errs...)
						})
						got := since(seen, before)
						if len(got) != 1 || !strings.HasPrefix(got[0], "1: insert notes, ") || !strings.Contains(got[0], "insert urutu_message") {
							t.Errorf("%s: the trips were %q", warmth, got)
						}
					}
				})
			}
		}
	}
}

// TestTripsOfPublishingInASavepoint: what a savepoint publishes goes with the commit, or nowhere, and costs no trip either way.
func TestTripsOfPublishingInASavepoint(t *testing.T) {
	t.Parallel()
	f := open(t, urututest.InPostgres)
	f.subscribe(t, "one")
	p, seen := f.metered(t)
	for inside, want := range map[string][]string{
		"nothing":   {"1: insert notes, stay", "1: commit"}, // what was there before a savepoint is written as it begins
		"a message": {"1: insert notes, stay", "1: insert urutu_message, commit"},
	} {
		before := len(seen.all())
		p.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, &Note{Text: inside}))
			for i, end := range []error{nil, errNotYet, nil} {
				err := session.Nested(ctx, func(ctx context.Context) error {
					if inside == "nothing" {
						return end
					}
					return errors.Join(bus.Publish(ctx, Remind{fmt.Sprint(i)}), end)
				})
				if !errors.Is(err, end) {
					return err
				}
			}
			return nil
		})
		if got := since(seen, before); !slices.Equal(got, want) {
			t.Errorf("with %s inside the trips were %q", inside, got)
		}
	}
	f.want(t, "2 0 0")
}

// TestTripsOfHandling: a message is handled in one round trip, with what its handler writes and publishes.
func TestTripsOfHandling(t *testing.T) {
	t.Parallel()
	f := open(t, urututest.InPostgres)
	f.publish(t, Charge{"known"})
	f.clear(t)
	p, seen := f.metered(t)
	handled := newEvents()
	b := p.bus()
	bus.Handle(b, func(ctx context.Context, m Placed) error {
		defer handled.add("%d", m.N)
		return errors.Join(session.Add(ctx, &Note{Text: fmt.Sprint(m.N)}), bus.Publish(ctx, Charge{m.Order}), bus.Publish(ctx, Charge{m.Order}))
	}, bus.Handler{Group: "billing", Concurrency: 1})
	w := start(t, b)
	f.publish(t, Placed{"a", 1}, Placed{"a", 2}, Placed{"b", 3}, Placed{"", 4})
	handled.wait(t, 4)
	stop(t, w)
	units := slices.DeleteFunc(seen.all(), func(s string) bool { return !strings.Contains(s, "insert notes") })
	for _, s := range units {
		if !strings.HasPrefix(s, "1: insert notes, delete urutu_message, ") || !strings.HasSuffix(s, "insert urutu_message, commit") {
			t.Errorf("the trips of a unit were %q", s)
		}
	}
	if len(units) != 4 {
		t.Errorf("four units took the scripts %q", units)
	}
	for _, s := range seen.all() {
		if !strings.HasPrefix(s, "1: ") && !strings.HasPrefix(s, "0: ") { // 0: the worker has stopped
			t.Errorf("a script of the queue takes more than one trip: %q", s)
		}
	}
	f.want(t, "8 0 0")
}

// need makes a group known that hears Needed, whose worker does not run.
func (f *fixture) need(t *testing.T) {
	t.Helper()
	b := f.bus()
	bus.Handle(b, func(context.Context, Needed) error { return nil }, bus.Handler{Group: "one"})
	stop(t, start(t, b))
}

// TestTripsOfTheFirstPublication: a process asks once how the database commits, and for each event that needs a subscription
// whether there is one; for the tables only where it has not installed them. A unit that holds a connection asks over that,
// so that units do not wait for a second one while they hold all there are.
func TestTripsOfTheFirstPublication(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		install, reads bool
		want           string
	}{
		"installed":                {true, false, "1: select synchronous, stay; 1: select urutu_message_subscription, stay; 1: insert urutu_message, commit"},
		"by others":                {false, false, "1: SELECT version FROM urutu_schema WHERE component = ?, stay; 1: select synchronous, stay; 1: select urutu_message_subscription, stay; 1: insert urutu_message, commit"},
		"by a unit that has begun": {false, true, "1: SAVEPOINT urutu_ask, SELECT version FROM urutu_schema WHERE component = ?, ROLLBACK TO SAVEPOINT urutu_ask, RELEASE SAVEPOINT urutu_ask, stay; 1: SAVEPOINT urutu_ask, select synchronous, ROLLBACK TO SAVEPOINT urutu_ask, RELEASE SAVEPOINT urutu_ask, stay; 1: SAVEPOINT urutu_ask, select urutu_message_subscription, ROLLBACK TO SAVEPOINT urutu_ask, RELEASE SAVEPOINT urutu_ask, stay; 1: insert urutu_message, commit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, urututest.InPostgres)
			f.need(t)
			p, seen := f.throughMeter(t)
			if c.install {
				must(t, p.Install(t.Context(), outbox.Component()))
			}
			for i, want := range []string{c.want, "1: insert urutu_message, commit"} {
				before := 0
				p.do(t, func(ctx context.Context) error {
					if c.reads {
						must(t, errors.Join(session.Add(ctx, &Note{Text: fmt.Sprint(i)}), session.Flush(ctx)))
					}
					before = len(seen.all())
					return bus.Publish(ctx, Needed{})
				})
				if got := strings.Join(since(seen, before), "; "); got != want {
					t.Errorf("publication %d took\n%s, want\n%s", i, got, want)
				}
			}
		})
	}
}

// TestFirstPublicationsOfAFullPool: as many units as there are connections hold them all, and publish for the first time.
func TestFirstPublicationsOfAFullPool(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.need(t)
		n := 4
		if f.database == urututest.InSQLite {
			n = 1 // there is one that writes
		}
		p := f.another(t, func(c *session.Config) { c.PoolSize = n })
		var all, hold sync.WaitGroup
		hold.Add(n)
		for i := range n {
			all.Go(func() {
				p.do(t, func(ctx context.Context) error {
					err := errors.Join(session.Add(ctx, &Note{Text: fmt.Sprint(i)}), session.Flush(ctx))
					hold.Done()
					hold.Wait()
					return errors.Join(err, bus.Publish(ctx, Needed{}))
				})
			})
		}
		all.Wait()
		f.want(t, fmt.Sprintf("%d 0 0", n))
	})
}
